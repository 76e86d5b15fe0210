// What each operation asks of its caller, written down by hand: whoever adds one decides it here a second time, and sees in the
// matrix of access.test.ts what that means.

import type { Operation, Scope } from '../../src/contract/operation.ts'

const scopeOf: Readonly<Record<string, Scope>> = {
  'approval.approve': 'approve',
  'approval.deny': 'approve',
  'approval.follow': 'approve',
  'approval.forget': 'approve',
  'approval.link': 'approve',
  'approval.list': 'read',
  'approval.resolve': 'approve',
  'approval.revoke': 'approve',
  'approval.show': 'read',
  'audit.export': 'admin',
  'audit.list': 'admin',
  'audit.verify': 'admin',
  'authority.rotate': 'admin',
  'authority.show': 'read',
  'command.invoke': 'operate',
  'command.list': 'read',
  'file.ask': 'operate',
  'file.digest': 'operate',
  'file.drop': 'operate',
  'file.gather': 'operate',
  'file.get': 'operate',
  'file.keep': 'operate',
  'file.look': 'operate',
  'file.put': 'operate',
  'file.scatter': 'operate',
  'file.staged': 'operate',
  'file.walk': 'operate',
  'fleet.add': 'admin',
  'fleet.events': 'read',
  'fleet.host': 'read',
  'fleet.hosts': 'read',
  'fleet.invoke': 'operate',
  'fleet.label': 'admin',
  'fleet.relay': 'operate',
  'fleet.remove': 'admin',
  'fleet.rename': 'admin',
  'fleet.run': 'read',
  'fleet.runs': 'read',
  'fleet.submit': 'operate',
  'fleet.token': 'admin',
  'fleet.trust': 'admin',
  'host.events': 'read',
  'host.info': 'read',
  'host.journal': 'read',
  'host.shutdown': 'admin',
  'hub.caller': 'read',
  'hub.info': 'read',
  'node.enroll': 'admin',
  'pairing.approve': 'admin',
  'pairing.list': 'admin',
  'pairing.reject': 'admin',
  'policy.test': 'read',
  'proc.apply': 'operate',
  'proc.call': 'operate',
  'proc.list': 'read',
  'proc.state': 'read',
  'proc.stop': 'operate',
  'run.artifact': 'read',
  'run.artifacts': 'read',
  'run.cancel': 'operate',
  'run.events': 'read',
  'run.feed': 'read',
  'run.get': 'read',
  'run.list': 'read',
  'run.log': 'read',
  'run.output': 'read',
  'run.pause': 'operate',
  'run.resume': 'operate',
  'run.start': 'operate',
  'run.stdin': 'operate',
  'token.create': 'admin',
  'token.list': 'admin',
  'token.revoke': 'admin',
}

/** What is wrong with the table, beside these operations. */
export function complaints(operations: readonly Pick<Operation, 'name' | 'scope'>[]): string[] {
  const known = new Set(operations.map(({ name }) => name))
  return [
    ...operations.flatMap(({ name, scope }) => {
      const row = scopeOf[name]
      if (row === undefined) return [`${name} has no row`]
      return row === scope ? [] : [`${name} asks for ${scope}, and its row says ${row}`]
    }),
    ...Object.keys(scopeOf)
      .filter((name) => !known.has(name))
      .map((name) => `${name} is no operation`),
  ]
}
