// Why a connection could not be made or did not last, in the catalogue's words.

import { failure, MusterError } from '../contract/errors.ts'

const notThere = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
])

/** What a broken connection is called. Node's names for it differ by the moment at which it broke. */
export function transportFailure(error: unknown, where: string): MusterError {
  if (error instanceof MusterError) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  if (notThere.has(code)) return failure('hub.not_running', { where }, { cause: error })
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) return failure('wire.proof', { problem: message }, { cause: error })
  return failure('wire.closed', { reason: message || code }, { cause: error })
}
