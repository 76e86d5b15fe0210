// `muster doctor`: every check in turn. A check that breaks is a finding too; the others go on.

import { asMusterError, exitCode } from '../../contract/errors.ts'
import { paint } from '../color.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { type Finding, fail } from './check.ts'
import { checkHome } from './home-checks.ts'
import { checkHub } from './hub-checks.ts'
import { checkMachine } from './machine-checks.ts'

const groups: readonly ((terminal: Terminal) => Promise<Finding[]>)[] = [checkMachine, checkHome, checkHub]

export const doctor: Action<unknown, []> = async (terminal) => {
  const findings: Finding[] = []
  for (const check of groups) {
    findings.push(...(await check(terminal).catch((thrown) => [broken(check.name, thrown)])))
  }
  const failed = findings.some(({ state }) => state === 'fail')
  return {
    json: { ok: !failed, findings },
    text: findings.flatMap((one) => lines(one, terminal.color)).join('\n'),
    exit: failed ? exitCode.environment : exitCode.ok,
  }
}

function broken(check: string, thrown: unknown): Finding {
  const { message, hint } = asMusterError(thrown)
  return fail(check, message, hint)
}

const colors = { ok: 'green', warn: 'yellow', fail: 'red' } as const

function lines({ check, state, says, mend }: Finding, color: boolean): string[] {
  const mark = color ? paint(colors[state], state.padEnd(4)) : state.padEnd(4)
  return [`${mark}  ${check}: ${printable(says)}`, ...(mend === null ? [] : [`      mend: ${printable(mend)}`])]
}
