// What only a hub can be asked, bound to the parts that do it. Each handler is short because its work has an owner.

import { failure } from '../contract/errors.ts'
import { findRun, getHubInfo, listFleetRuns, submitRun } from '../contract/fleet.ts'
import { enrollNode, getHostInfo, listHosts, removeHost, showHost } from '../contract/host.ts'
import { type Implementation, implement, implementation } from '../contract/implementation.ts'
import type { OutputOf } from '../contract/operation.ts'
import { isTerminal, type Run, type RunState, runStates } from '../contract/run.ts'
import { createToken, listTokens, revokeToken } from '../contract/token.ts'
import { allHealth, healthOf } from '../store/health.ts'
import type { Store } from '../store/store.ts'
import * as tokens from '../store/tokens.ts'
import { type Fleet, hostRow, isLocal } from './fleet.ts'
import type { FleetRuns } from './fleet-runs.ts'
import { liveCaller } from './forward.ts'
import type { Membership } from './membership.ts'
import type { Queue } from './queue.ts'
import { runOfJob } from './waiting-run.ts'
import { checkWorkflowSpec } from './workflows.ts'

export interface HubParts {
  readonly store: Store
  readonly fleet: Fleet
  readonly queue: Queue
  readonly runs: FleetRuns
  readonly membership: Membership
  readonly info: () => OutputOf<typeof getHubInfo>
}

const probeDeadlineMs = 2_000
const liveStates = (Object.keys(runStates) as RunState[]).filter((state) => !isTerminal(state))

export function hubOffers({ store, fleet, queue, runs, membership, info }: HubParts): Implementation {
  return implementation(
    implement(getHubInfo, async () => info()),

    implement(listHosts, async () => {
      const health = await allHealth(store)
      const hosts = fleet.all().map((host) => hostRow(host, health.get(host.id)))
      return { hosts, corrupt: await membership.corrupt() }
    }),

    implement(showHost, async ({ host: ref }) => {
      const host = fleet.find(ref)
      const health = await healthOf(store, host.id)
      if (host.connector.state.status !== 'online') return hostRow(host, health)
      // A host that is slow to answer is shown as it last was.
      const now = await liveCaller(host)
        .call(getHostInfo, {}, { timeoutMs: probeDeadlineMs })
        .catch(() => undefined)
      return hostRow(host, health, now)
    }),

    implement(removeHost, async ({ host: ref, force }) => {
      const host = fleet.find(ref)
      if (isLocal(host)) throw failure('host.local_stays')
      const { runs: live } = await runs.list({ host: host.id, states: liveStates, limit: 1000, deadlineMs: probeDeadlineMs })
      if (live.length > 0 && !force) throw failure('host.busy', { host: host.name, runs: live.length })
      await membership.forget(host)
      return { removed: host.id }
    }),

    implement(enrollNode, (input) => membership.enroll(input)),

    implement(submitRun, async ({ host: ref, ...submission }): Promise<Run> => {
      const host = fleet.find(ref)
      checkWorkflowSpec(submission.spec)
      if (submission.spec.kind === 'workflow') {
        if (!isLocal(host)) throw failure('run.kind_unsupported', { host: host.name, kind: 'workflow' })
        if (submission.spec.host !== undefined) fleet.find(submission.spec.host)
      }
      const job = await queue.submit({ host, ...submission })
      return job.state === 'queued' || job.state === 'claimed' ? runOfJob(host, job) : runs.find({ run: job.run })
    }),

    implement(listFleetRuns, (input) => runs.list(input)),
    implement(findRun, (input) => runs.find(input)),

    implement(createToken, async ({ name, role }) => {
      const { row, value } = await tokens.createToken(store, { name, role })
      return { ...row, token: value }
    }),
    implement(listTokens, async () => ({ tokens: await tokens.listTokens(store) })),
    implement(revokeToken, async ({ token }) => tokens.revokeToken(store, token)),
  )
}
