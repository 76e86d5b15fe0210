// One rule put into node/policy.toml in place of those that it overrides, and what people should know then: of `expose` and `hide`.

import { mkdir } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { isCommandName } from '../../contract/command-name.ts'
import { families } from '../../contract/family.ts'
import { CommandPattern, type PolicyRule } from '../../contract/policy.ts'
import { catalogAt } from '../../host/commands/at-home.ts'
import { openPolicy } from '../../host/policy.ts'
import { check } from '../arguments.ts'
import { openHome } from '../home.ts'
import type { Outcome } from '../perform.ts'
import type { Terminal } from '../terminal.ts'
import { policyHere } from './box.ts'
import { editPolicy } from './edit-policy.ts'

export const commandPattern = (text: string): string =>
  check(CommandPattern, text, 'The command', 'Name one (`exec`), all that begin alike (`file.*`), or all (`*`).')

/** Throws `policy.unreadable`, `policy.not_edited`, `file.unwritable`. */
export async function changePolicy(
  terminal: Terminal,
  rule: PolicyRule,
  replaces: (other: PolicyRule) => boolean,
): Promise<Outcome> {
  const home = (await openHome(terminal.env)).dir
  const { file, ...started } = await policyHere(home)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const isSame = ({ command, to }: PolicyRule) => command === rule.command && to === rule.to
  const removes = (other: PolicyRule) => isSame(other) && replaces(other)
  const { before } = await editPolicy(file, {
    adds: rule,
    removes,
    by: { command: rule.effect === 'deny' ? 'muster node hide' : 'muster node expose', account: accountOf(terminal.env) },
  })
  if (before === undefined && started.withoutFile)
    terminal.say(`Until now hubs that come by ssh could have everything here; from now on only what ${file} exposes.`)
  const stays = isCommandName(rule.command) ? whatStays({ ...started, file }, rule) : undefined
  if (stays !== undefined) terminal.say(stays)
  if (rule.effect === 'allow' && before?.rule.some((other) => other.effect === 'ask' && removes(other)))
    terminal.say(`The rule that had a person asked about ${rule.command} is gone.`)
  const loose = looseEnd(rule)
  if (loose !== undefined) terminal.say(loose)
  const { effect, command, to, when } = rule
  if (effect !== 'deny' && isCommandName(command) && !(await isKnown(home, started.allow === 'everything', command)))
    terminal.say(`This machine has no command ${command}: the rule counts once it has one (docs/commands.md).`)
  const words = [effect, command, ...(to === undefined ? [] : ['to', to]), ...(when === undefined ? [] : ['when', when])]
  return { json: { file, rule }, text: words.join(' ') }
}

/** Whoever became this account by sudo is named with it. */
function accountOf({ SUDO_USER: by }: NodeJS.ProcessEnv): string {
  const uid = process.getuid?.()
  const own = uid === undefined ? 'this account' : nameOfAccount(uid)
  return by ? `${own} (by sudo: ${by})`.slice(0, 256) : own
}

/** An account need not have a name. */
function nameOfAccount(uid: number): string {
  try {
    return userInfo().username
  } catch {
    return String(uid)
  }
}

async function isKnown(home: string, isHub: boolean, command: string): Promise<boolean> {
  if ((families as readonly string[]).includes(command)) return true
  return (await catalogAt(home, { isHub })).find(command) !== undefined
}

/** Another rule may be narrower than the new one. */
function whatStays(policy: Parameters<typeof openPolicy>[0], { command, to, effect, when }: PolicyRule): string | undefined {
  if (when !== undefined || effect === 'deny') return undefined
  const principal =
    to === undefined && policy.allow === 'everything' ? itsOwnHub : { kind: 'hub' as const, id: to ?? '', role: 'hub' }
  const now = openPolicy(policy).decide({ command, principal })
  if (now.effect === effect) return undefined
  const is = now.effect === 'deny' ? 'is still denied' : 'still wants a person to be asked'
  return `${command} ${is}, by ${now.by.of}: ${now.by.why}.`
}

/** A condition on the argument list alone leaves to others which program that is, and what a run brings along. */
function looseEnd({ command, effect, when }: PolicyRule): string | undefined {
  if (effect === 'deny' || when === undefined || !/\bargv\b/.test(when)) return undefined
  const closing = { env: 'params.env == {}', ...(command === 'runs' && { artifacts: '!has(params.artifacts)' }) }
  const loose = Object.entries(closing).filter(([name]) => !new RegExp(`\\b${name}\\b`).test(when))
  if (loose.length === 0) return undefined
  const names = loose.map(([name]) => name).join(' and ')
  return `Its condition leaves ${names} to who asks (docs/policy.md); to take none: \`${loose.map(([, take]) => `&& ${take}`).join(' ')}\`.`
}

const itsOwnHub = { kind: 'self', id: 'hub', role: 'operator' } as const
