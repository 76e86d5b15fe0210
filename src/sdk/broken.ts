// Why a connection could not be made or did not last, in the catalogue's words. The difference that counts: with `hub.not_running`,
// `link.certificate` and `link.tls` nothing was sent; with `wire.closed` it is not known what the other side did.

import { failure, MusterError } from '../contract/errors.ts'

/** How long a connection may take to be made. */
export const connectTimeoutMs = 10_000

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

const plainAnswers = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST'])

/** A connection that was not made in time, as the system says it. */
export function timedOut(): NodeJS.ErrnoException {
  return Object.assign(new Error(`no connection within ${connectTimeoutMs} ms`), { code: 'ETIMEDOUT' })
}

/** What a broken connection is called. Node's names for it differ by the moment at which it broke. */
export function transportFailure(error: unknown, where: string): MusterError {
  if (error instanceof MusterError) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  if (notThere.has(code)) return failure('hub.not_running', { where }, { cause: error })
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return failure('link.tls', { where, problem: tlsProblem(code) }, { cause: error })
  if (/CERT|TLS|SELF_SIGNED|UNABLE_TO|INVALID_CA/.test(code))
    return failure('link.certificate', { where, problem: certificateProblem(error as TlsError) }, { cause: error })
  return failure('wire.closed', { reason: message || code }, { cause: error })
}

/** OpenSSL's own text is a line of source positions. */
function tlsProblem(code: string): string {
  if (plainAnswers.has(code)) return 'what answers at this port does not speak TLS'
  return code === 'EPROTO' ? 'the handshake failed' : code.replace('ERR_SSL_', '').replaceAll('_', ' ').toLowerCase()
}

interface TlsError extends NodeJS.ErrnoException {
  /** Of a certificate for another name. */
  readonly host?: string
  readonly cert?: { readonly subjectaltname?: string }
}

const unknownAuthority = 'it was signed by an authority that is not known here'
const certificateProblems: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it signed itself',
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
}

/** Node's own sentences give advice that does not fit a hub. */
function certificateProblem({ code = '', message, host, cert }: TlsError): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `it is for ${cert?.subjectaltname ?? 'no name'}, and not for ${host}`
  return certificateProblems[code] ?? message
}
