// Sensitive commands before a bucket host, for tests of what becomes of them: a script that leaves a mark, and its question at the hub.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { approveApproval, denyApproval, type FleetApproval, listApprovals, showApproval } from '../../../src/contract/approval.ts'
import { invokeCommand } from '../../../src/contract/command.ts'
import { asMusterError, type MusterError } from '../../../src/contract/errors.ts'
import { until } from '../../resources/muster.ts'
import { type BucketHub, hostName } from './fixture.ts'

/** What a worker's command line needs beside. */
export const mayAsk = ['--allow', 'shell']

export interface AskingPeople {
  /** Asks for a script of this name; resolves with what became of it. */
  invoke(name: string, more?: { key?: string; signal?: AbortSignal }): Promise<{ stdout: string } | MusterError>
  /** Its newest question, once it is there and has that state. */
  question(name: string, state?: FleetApproval['state']): Promise<FleetApproval>
  now(approval: FleetApproval): Promise<FleetApproval>
  approve(approval: FleetApproval): Promise<FleetApproval>
  deny(approval: FleetApproval): Promise<FleetApproval>
  /** How often it ran. */
  ran(name: string): Promise<number>
}

export function askingPeople({ hub: { client } }: BucketHub, dir: string): AskingPeople {
  const mark = (name: string) => join(dir, `ran-${name}`)
  const { hub } = client
  return {
    invoke: (name, { signal, ...more } = {}) =>
      client
        .host(hostName)
        .call(invokeCommand, { command: 'shell', params: { script: `echo x >> '${mark(name)}'` }, ...more }, signal && { signal })
        .then(({ result }) => result as { stdout: string }, asMusterError),
    question: (name, state = 'pending') =>
      until(`the question of ${name} is ${state}`, async () => {
        const { approvals } = await hub.call(listApprovals, { all: true })
        return approvals.find((one) => one.asked.script?.text.includes(mark(name)) && one.state === state)
      }),
    now: ({ id }) => hub.call(showApproval, { approval: id }),
    approve: ({ id, digest }) => hub.call(approveApproval, { approval: id, digest }),
    deny: ({ id, digest }) => hub.call(denyApproval, { approval: id, digest, reason: 'no' }),
    ran: async (name) => (await readFile(mark(name), 'utf8').catch(() => '')).length / 2,
  }
}
