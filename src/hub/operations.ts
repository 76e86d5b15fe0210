// What only a hub can be asked, bound to the parts that do it. Each handler is short because its work has an owner.

import { rotateAuthority, showAuthority } from '../contract/certificate.ts'
import { invokeOnFleet } from '../contract/command.ts'
import { failure } from '../contract/errors.ts'
import { findRun, getHubInfo, listFleetRuns, submitRun } from '../contract/fleet.ts'
import { followFleetEvents } from '../contract/fleet-event.ts'
import {
  addHost,
  enrollNode,
  type HostDetail,
  type HostRow,
  labelHost,
  listHosts,
  type Probe,
  removeHost,
  renameHost,
  replaceHostToken,
  showHost,
  trustHost,
} from '../contract/host.ts'
import { type Handler, type Implementation, implement, implementation } from '../contract/implementation.ts'
import type { OutputOf } from '../contract/operation.ts'
import { relayFiles } from '../contract/relay.ts'
import { isTerminal, type Run, type RunState, runStates, startRun } from '../contract/run.ts'
import { createToken, listTokens, revokeToken, showCaller } from '../contract/token.ts'
import { auditOperations } from '../store/audit-operations.ts'
import { allHealth, healthOf } from '../store/health.ts'
import { unfinishedJobs } from '../store/jobs/find.ts'
import type { Store } from '../store/store.ts'
import { listTokens as tokensOf } from '../store/tokens.ts'
import type { Access } from './access.ts'
import type { HubApprovals } from './approvals/approvals.ts'
import { idOf } from './audit/door.ts'
import type { HubTls } from './authority/tls.ts'
import { type Fleet, type FleetHost, hostRow, isLocal } from './fleet.ts'
import type { FleetEvents } from './fleet-events.ts'
import type { FleetRuns } from './fleet-runs.ts'
import type { Membership } from './membership.ts'
import type { Pairing } from './pairing/pairing.ts'
import { probe, probeNew, probeRenewed } from './probe.ts'
import type { Queue } from './queue.ts'
import type { Secrets } from './secrets.ts'
import { requireTrusted } from './trust.ts'
import { runOfJob } from './waiting-run.ts'
import { checkWorkflowSpec } from './workflows.ts'

export interface HubParts {
  readonly store: Store
  readonly access: Access
  readonly fleet: Fleet
  readonly queue: Queue
  readonly runs: FleetRuns
  readonly membership: Membership
  readonly pairing: Pick<Pairing, 'offers'>
  readonly secrets: Secrets
  /** Where it ends TLS itself. */
  readonly tls: HubTls | undefined
  readonly events: FleetEvents
  readonly invokeOnFleet: Handler<typeof invokeOnFleet>
  readonly relayFiles: Handler<typeof relayFiles>
  readonly approvals: Pick<HubApprovals, 'operations'>
  readonly info: () => OutputOf<typeof getHubInfo>
}

const probeDeadlineMs = 2_000
const liveStates = (Object.keys(runStates) as RunState[]).filter((state) => !isTerminal(state))

export function hubOffers(parts: HubParts): Implementation {
  const {
    store,
    access,
    fleet,
    queue,
    runs,
    membership,
    pairing,
    secrets,
    tls,
    approvals,
    events,
    invokeOnFleet: invoke,
    relayFiles: relay,
    info,
  } = parts
  const row = async (host: FleetHost, asked: Probe | null = null): Promise<HostRow> =>
    hostRow(host, await healthOf(store, host.id), info().version, asked)
  const detail = async (host: FleetHost, asked: Probe | null): Promise<HostDetail> => ({
    ...(await row(host, asked)),
    secret: await secrets.holder(host.id),
  })

  /** Those that the host tells of, and those that it was given and has not ended, should it not answer. */
  async function liveRunsOf(host: FleetHost): Promise<number> {
    const told = await runs.list({ host: host.id, states: liveStates, limit: 1000, deadlineMs: probeDeadlineMs })
    return new Set([...told.runs.map((run) => run.id), ...(await unfinishedRunsOf(host))]).size
  }

  async function unfinishedRunsOf({ id }: { id: string }): Promise<string[]> {
    return (await unfinishedJobs(store)).filter(({ host }) => host === id).map(({ run }) => run)
  }

  return implementation(
    implement(getHubInfo, async () => info()),
    implement(showCaller, async (_input, { principal: { id, role, scopes, token } }) => ({
      id,
      name: token?.name ?? null,
      role,
      scopes: [...scopes],
      expiresAt: token?.expiresAt ?? null,
    })),
    implement(showAuthority, async () => {
      if (!tls) throw failure('authority.none')
      return tls.showAuthority()
    }),
    implement(rotateAuthority, async () => {
      if (!tls) throw failure('authority.none')
      return tls.rotateAuthority()
    }),

    implement(listHosts, async ({ probe: wanted, deadlineMs }) => {
      const hosts = fleet.all()
      // At the same time: what is read after the slowest host's deadline comes on top of it.
      const [probes, corrupt] = await Promise.all([
        Promise.all(hosts.map((host) => (wanted ? probe(host, store, deadlineMs) : null))),
        membership.troubles(),
      ])
      const health = await allHealth(store)
      return {
        hosts: hosts.map((host, i) => hostRow(host, health.get(host.id), info().version, probes[i])),
        corrupt,
      }
    }),

    implement(showHost, async ({ host: ref }) => {
      const host = fleet.find(ref)
      // A host that is slow to answer is shown as it last was.
      return detail(host, await probe(host, store, probeDeadlineMs))
    }),

    implement(addHost, async ({ probe: wanted, deadlineMs, ...input }) => {
      const { host, command } = await membership.add(input)
      return { host: await detail(host, wanted ? await probeNew(host, store, deadlineMs) : null), command }
    }),

    implement(renameHost, async ({ host, name }) => row(await membership.rename(host, name))),
    implement(labelHost, async (input) => row(await membership.label(input))),
    implement(trustHost, async (input) => row(await membership.changeTrust(input))),

    implement(replaceHostToken, async ({ probe: wanted, deadlineMs, ...input }) => {
      const { host, joining } = await membership.replaceToken(input)
      // A host that dials in has to be given its token first.
      return { host: await detail(host, wanted && !joining ? await probeRenewed(host, store, deadlineMs) : null), joining }
    }),

    implement(removeHost, async ({ host: ref, force }) => {
      const unserved = await membership.unserved(ref)
      if (unserved) {
        const given = force ? [] : await unfinishedRunsOf(unserved)
        if (given.length > 0) throw failure('host.busy', { host: unserved.name, runs: given.length })
        return { removed: unserved.id, leftInKeychain: await membership.forgetUnserved(unserved) }
      }
      const host = fleet.find(ref)
      if (isLocal(host)) throw failure('host.local_stays')
      const live = force ? 0 : await liveRunsOf(host)
      if (live > 0) throw failure('host.busy', { host: host.name, runs: live })
      return { removed: host.id, leftInKeychain: await membership.forget(host) }
    }),

    implement(enrollNode, (input) => membership.enroll(input)),
    ...pairing.offers,

    implement(submitRun, async ({ host: ref, ...submission }): Promise<Run> => {
      const host = fleet.find(ref)
      requireTrusted(host, startRun)
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
    implement(followFleetEvents, (input, { principal, signal }) => events.follow(input, principal, signal)),
    implement(invokeOnFleet, invoke),
    implement(relayFiles, relay),

    implement(createToken, (input, { principal }) => access.mint(input, principal)),
    implement(listTokens, async () => ({ tokens: await tokensOf(store) })),
    implement(revokeToken, async ({ token }) => access.revoke(token)),
    // A host that was removed is found by its id.
    ...auditOperations(store, (ref) => idOf(fleet, ref) ?? ref),

    ...approvals.operations,
  )
}
