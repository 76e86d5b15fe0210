// What goes wrong between two hubs, in words for people: why a host is offline, and what another hub's refusal means to whoever
// asked this one, whose own token and own hub have nothing to do with it.

import { failure, type MusterError } from '../../contract/errors.ts'

/** Of the system's errors, those that say why no connection was made. */
const notReached: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused: nothing listens there',
  ETIMEDOUT: 'timed out: no connection could be made',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name could not be looked up',
  EHOSTUNREACH: 'there is no way to its address',
  ENETUNREACH: 'there is no way to its address',
}

/** One sentence, without its full stop. */
export function offlineReason(error: MusterError, host: string): string {
  const again = `give it one with \`muster host token ${host} --token-stdin\`; \`muster token create NAME --role operator\` prints it on its machine`
  switch (error.code) {
    case 'hub.not_running':
      return notReached[(error.cause as NodeJS.ErrnoException | undefined)?.code ?? ''] ?? error.message.replace(/\.$/, '')
    case 'auth.required':
      return `unauthorised: this hub has no token for it; ${again}`
    case 'auth.invalid':
      return `unauthorised: its hub does not take the token, which was revoked or is another hub's; ${again}`
    case 'auth.origin':
      return 'refused: its hub does not know the name in the URL; serve it with `--allow-host NAME`'
    case 'call.deadline':
      return 'timed out: it takes connections and does not answer'
    case 'operation.unknown':
    case 'http.method':
      return 'version: it does not serve the API that this hub asks by; compare `muster --version` on both'
    case 'wire.protocol':
      return `what answers there is no Muster hub, or one of quite another version: ${firstProblem(error.message)}`
    case 'secret.keychain':
      return `${error.message} ${error.hint}`.replace(/\.$/, '')
    case 'hub.loop':
      return 'loop: the URL leads back to this hub'
    default:
      return error.message.replace(/\.$/, '')
  }
}

/** Of an answer that is none, all that is wrong with it would be a page. */
function firstProblem(message: string): string {
  return (message.replace(/^[^:]*: /, '').split(';')[0] ?? '').replace(/\.$/, '')
}

export interface Asking {
  readonly host: string
  readonly operation: string
  /** Versions of Muster. Theirs is undefined before it has said so. */
  readonly theirs: string | undefined
  readonly ours: string
}

/** Errors of the work itself stay as they are. */
export function explain(error: MusterError, { host, operation, theirs = 'of an unknown version', ours }: Asking): MusterError {
  switch (error.code) {
    case 'hub.not_running':
    case 'link.certificate':
    case 'link.tls':
    case 'auth.required':
    case 'auth.invalid':
    case 'auth.origin':
      return failure('host.offline', { host, reason: offlineReason(error, host) }, { cause: error })
    case 'auth.forbidden':
      return failure('host.token_role', { host, operation }, { cause: error })
    case 'operation.unknown':
    case 'http.method':
      return failure('host.version', { host, operation, theirs, ours }, { cause: error })
    default:
      return error
  }
}

/** Whether an error says something about the link, and not about what was asked. */
export function isOfLink({ code }: MusterError): boolean {
  return ofLink.has(code)
}

const ofLink = new Set([
  'hub.not_running',
  'link.certificate',
  'link.tls',
  'auth.required',
  'auth.invalid',
  'auth.origin',
  'hub.loop',
  'wire.closed',
  'wire.protocol',
])
