// The fleet's own management as commands of the hub's own host: what an operator may let a program or a model do that only has commands.
// They are hidden until the policy of that machine names them. Each asks the hub as who invoked it, so that nobody can do by a command what he
// cannot do without it, and what changes something is put to a person each time.

import { z } from 'zod'
import { ApprovalId, approveApproval, showApproval } from '../../contract/approval.ts'
import type { Caller } from '../../contract/caller.ts'
import { failure } from '../../contract/errors.ts'
import { enrollNode, HostRow, listHosts, trustHost } from '../../contract/host.ts'
import { HostName, HostRef, Labels } from '../../contract/names.ts'
import { approvePairing, PairingCode } from '../../contract/pairing.ts'
import { CommandPattern } from '../../contract/policy.ts'
import { localSocketId, startTokenId } from '../../contract/token.ts'
import { builtIn } from './builtin.ts'
import type { HostCommand } from './command.ts'

/** Answers the hub's own operations, as this one may ask them now. */
export type AskHub = (asker: string | null) => Promise<Caller>

const Listed = HostRow.pick({ id: true, name: true, label: true, connector: true, labels: true, status: true }).strict()
const Patterns = z.array(CommandPattern).min(1).max(64)
const Approvable = ['code', 'host', 'approval'] as const

export function fleetCommands(hub: AskHub): HostCommand[] {
  const list = builtIn({
    name: 'fleet.list',
    description: 'The hosts that this hub knows, and whether each can be reached.',
    params: z.strictObject({}),
    result: z.strictObject({ hosts: z.array(Listed) }),
    async run(_params, { signal, asker }) {
      const { hosts } = await (await hub(asker)).call(listHosts, {}, { signal })
      return {
        hosts: hosts.map(({ id, name, label, connector, labels, status }) => ({ id, name, label, connector, labels, status })),
      }
    },
  })
  const enroll = builtIn({
    name: 'fleet.enroll',
    description: 'Makes a record for a host that will dial in, and answers the command that joins it, with its one-time token.',
    params: z.strictObject({ name: HostName, labels: Labels.default({}) }),
    result: z.strictObject({ host: z.string(), name: z.string(), command: z.string() }),
    sensitive: true,
    async run(params, { signal, asker }) {
      const { host, name, command } = await (await hub(asker)).call(
        enrollNode,
        { ...params, labels: { ...params.labels } },
        { signal },
      )
      return { host, name, command }
    },
  })
  const approve = builtIn({
    name: 'fleet.approve',
    description:
      'Approves one of three: the machine that shows `code`, what `host` asks for beyond what was approved, or `approval`, by its digest, ' +
      "which somebody else's command waits for.",
    params: z
      .strictObject({
        code: PairingCode.optional(),
        host: HostRef.optional(),
        name: HostName.optional().meta({ description: 'What a new host is called here, if not as it calls itself.' }),
        allow: Patterns.optional().meta({ description: 'Only these of what the machine or host asks for.' }),
        approval: ApprovalId.optional(),
        digest: z.string().optional().meta({ description: "The approval's, as `muster approval show` has it." }),
      })
      .refine(
        (params) => Approvable.filter((one) => params[one] !== undefined).length === 1,
        'it names one of `code`, `host` and `approval`',
      )
      .refine(({ approval, digest }) => (approval === undefined) === (digest === undefined), '`digest` goes with `approval`'),
    result: z.strictObject({ approved: z.enum(['new', 'rejoin', 'upgrade', 'approval']), host: z.string(), name: z.string() }),
    sensitive: true,
    async run({ approval, digest = '', allow, ...pairing }, { signal, asker }) {
      const caller = await hub(asker)
      if (approval === undefined) {
        const input = { ...pairing, ...(allow && { allow: [...allow] }) }
        const { kind, host, name } = await caller.call(approvePairing, input, { signal })
        return { approved: kind, host, name }
      }
      await requireAnothers(caller, approval, { asker, signal })
      const { hostId, host } = await caller.call(approveApproval, { approval, digest }, { signal })
      return { approved: 'approval' as const, host: hostId, name: host }
    },
  })
  const expose = builtIn({
    name: 'fleet.expose',
    description:
      "Lets this hub begin more on a host: adds patterns of commands to what its record is trusted with. The host's own policy still decides.",
    params: z.strictObject({ host: HostRef, commands: Patterns }),
    result: z.strictObject({ host: z.string(), name: z.string(), trust: z.array(z.string()) }),
    sensitive: true,
    async run({ host, commands }, { signal, asker }) {
      const row = await (await hub(asker)).call(trustHost, { host, add: [...commands] }, { signal })
      return { host: row.id, name: row.name, trust: [...row.trust] }
    },
  })
  return [list, enroll, approve, expose].map((command) => ({ ...command, hidden: true, eachTime: true }))
}

/** Nobody lets by a command run what he waits for himself, nor what somebody waits for whom this hub does not know. Throws `approval.own`. */
async function requireAnothers(
  caller: Caller,
  approval: string,
  { asker, signal }: { asker: string | null; signal: AbortSignal },
): Promise<void> {
  const { asked, askerName } = await caller.call(showApproval, { approval }, { signal })
  const isKnown = askerName !== null || asked.asker === localSocketId || asked.asker === startTokenId
  if (!isKnown || asked.asker === asker) throw failure('approval.own', { approval })
}
