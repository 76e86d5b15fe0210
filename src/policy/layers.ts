// The layers whose rules follow from something else than a written policy: a role's scopes, a record's trust, a command's nature.

import type { Layer } from './question.ts'

interface Asker {
  readonly role: string
  readonly scopes: ReadonlySet<string>
}

/** What a role may have begun: whatever others permit, where it may operate at all. */
export function roleLayer({ role, scopes }: Asker): Layer {
  const rules = scopes.has('operate') ? [{ effect: 'allow' as const, command: '*', from: `the role ${role}` }] : []
  return { layer: 'role', of: `the role ${role}`, rules }
}

/** The hub's side: what its record trusts a host with. */
export function trustLayer(trust: readonly string[], host: string): Layer {
  const of = `the hub's record of ${host}`
  return { layer: 'trust', of, rules: trust.map((command) => ({ effect: 'allow', command, from: '[trust]' })) }
}

/** What the host's catalog says of the command itself. */
export function catalogLayer(command: string, sensitive: boolean): Layer {
  const rule = sensitive
    ? { effect: 'ask' as const, command, from: 'being sensitive' }
    : { effect: 'allow' as const, command: '*', from: 'not being sensitive' }
  return { layer: 'catalog', of: "the host's catalog", rules: [rule] }
}
