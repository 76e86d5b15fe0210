// `muster hub ca`: the hub's own authority. The certificate alone on stdout, for a file; by what to know it on stderr.

import { type AuthorityInfo, rotateAuthority, showAuthority } from '../../contract/certificate.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import type { Terminal } from '../terminal.ts'

export const showCa: Action<unknown, []> = async (terminal, options) => {
  using client = connect(terminal)
  return answer(terminal, options.json, await client.hub.call(showAuthority, {}))
}

export const rotateCa: Action<unknown, []> = async (terminal, options) => {
  using client = connect(terminal)
  return answer(terminal, options.json, await client.hub.call(rotateAuthority, {}))
}

function answer(terminal: Terminal, json: boolean | undefined, info: AuthorityInfo) {
  if (!json) for (const line of linesOf(info)) terminal.say(line)
  return { json: info, text: info.certificate.trimEnd() }
}

function linesOf({ fingerprint, pin, notAfter, former }: AuthorityInfo): string[] {
  return [
    `SHA-256 ${fingerprint}, valid until ${notAfter}`,
    `--pin ${pin}`,
    ...former.map((one) => `Still counts, for ${one.certificates} hosts: SHA-256 ${one.fingerprint}`),
  ]
}
