// `muster host remove`. On a terminal, one with live runs is asked about; elsewhere that takes --force.

import { createInterface } from 'node:readline/promises'
import { hasCode } from '../../contract/errors.ts'
import { removeHost as removeHostOperation } from '../../contract/host.ts'
import { hostRef } from '../arguments.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'

export const removeHost: Action<{ readonly force?: true }, [string]> = async (terminal, { force, json }, host) => {
  const ref = hostRef(host)
  using client = connect(terminal)
  const remove = (how: boolean) => client.hub.call(removeHostOperation, { host: ref, force: how })
  const answer = await remove(force === true).catch(async (error) => {
    if (json || !terminal.stdin.isTTY || !hasCode(error, 'host.busy')) throw error
    if (await agreed(terminal, `${printable(error.message)} Remove it all the same? [y/N] `)) return remove(true)
    throw error
  })
  if (answer.leftInKeychain !== null) terminal.say(leftSentence(answer.removed, answer.leftInKeychain))
  return { json: answer, text: `removed: ${answer.removed}` }
}

function leftSentence(id: string, problem: string): string {
  return `Its token is still in the keychain, which could not be asked (${printable(problem)}): delete the entry ${id} of the service muster there.`
}

async function agreed({ stdin, err }: Pick<Terminal, 'stdin' | 'err'>, question: string): Promise<boolean> {
  await err(question)
  const lines = createInterface({ input: stdin })
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim())
    return false
  } finally {
    lines.close()
  }
}
