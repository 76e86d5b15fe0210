// One machine as Muster sees it: opens a host on its home, takes up what an earlier host process left, and offers its operations.
// This file only puts the parts together. Who reaches the host, and how, is none of its business.

import { join } from 'node:path'
import type { Logger } from 'pino'
import { audited } from '../contract/audited.ts'
import { failure } from '../contract/errors.ts'
import { admit, type Implementation } from '../contract/implementation.ts'
import { localHost } from '../contract/names.ts'
import { lockHome } from '../store/lock.ts'
import { openAudit } from '../store/open-audit.ts'
import { readingOperations } from '../store/readings.ts'
import { makeRunBells } from '../store/run-bells.ts'
import { openStore } from '../store/store.ts'
import { logOfStore, watched } from '../store/watched.ts'
import { socketPath } from '../wire/channels/socket-path.ts'
import { softwareVersion } from '../wire/protocol.ts'
import { openApprovals } from './approvals/approvals.ts'
import { openCatalog } from './commands/catalog.ts'
import { openCommands } from './commands/invoke.ts'
import { type AskHub, ownCommands } from './commands/own.ts'
import type { Executors } from './executors.ts'
import { hostFiles } from './files.ts'
import { openFrontDoor } from './front-door.ts'
import { hostHome, makeHome } from './home.ts'
import { describeHost } from './info.ts'
import { openKeeper } from './keeper/client.ts'
import { openNodeEvents } from './node-events.ts'
import { type HostPolicy, openPolicy } from './policy.ts'
import { policyTexts, tellPolicyChanges } from './policy-changes.ts'
import { openProcesses } from './processes.ts'
import { openBackend } from './procs/backend.ts'
import { type LocalHandler, localProc } from './procs/local.ts'
import { openProcs } from './procs/table.ts'
import { openRunLog } from './run-log.ts'
import { openRuns } from './runs.ts'
import { noteStart } from './started-with.ts'

export type { Executor, Executors } from './executors.ts'
export type { HostPolicy } from './policy.ts'

export interface HostOptions {
  /** $MUSTER_HOME/host; made if it is not there. */
  readonly home: string
  /** $MUSTER_HOME: no `file.*` goes in there, whatever the policy names. */
  readonly musterHome: string
  /** What its runs see as MUSTER_HOST, and what its refusals call it. In its own records it is `local`, so that a new name hides nothing. */
  readonly name: string
  readonly policy: HostPolicy
  /** Who carries runs of other kinds than commands. */
  readonly executors?: Executors
  /** The folder of the commands that its owner has declared. */
  readonly commands?: string
  /** Where the host is the hub's own: the way to ask that hub, as who has asked this host may. */
  readonly hub?: AskHub
  /** What the built-in proc `local` answers, by method. */
  readonly local?: Readonly<Record<string, LocalHandler>>
  readonly log: Logger
}

export interface Host extends AsyncDisposable {
  /** Answers every host operation. */
  readonly offers: Implementation
  /** Resolves after `host.shutdown` was answered: time for the process around to end. */
  readonly shutDown: Promise<void>
  /** Stops answering and lets go of the home. Runs and procs go on. */
  close(): Promise<void>
}

/** Throws `home.locked`, `home.unusable`, or what the store says. */
export async function openHost(options: HostOptions): Promise<Host> {
  const { home: dir, musterHome, name, policy: given, executors = {}, commands: commandsDir, hub, local = {}, log } = options
  const home = hostHome(dir)
  await makeHome(home)
  const workspaces = join(home.dir, 'workspaces')
  const jail = () => {
    const named = policy.fileRoots()
    return { roots: named.length > 0 ? named : [workspaces], except: musterHome, own: workspaces }
  }
  const own = ownCommands({ host: name, env: process.env, jail, hub })
  const catalog = openCatalog(own, { dir: commandsDir, host: name })
  const policy = openPolicy(given, catalog.natureOf)
  await using opened = new AsyncDisposableStack()
  opened.use(lockHome(home.dir))
  noteStart(home.dir, given)
  const store = watched(opened.use(await openStore({ file: home.database })), logOfStore(log, 'the host'))
  const approvals = opened.use(await openApprovals({ store, host: localHost, name, log }))
  const audit = opened.use(await openAudit(store, log, 'the host'))
  const keeper = openKeeper(home, log)
  const processes = openProcesses(home, keeper, log)
  opened.defer(() => processes.close())
  const bells = makeRunBells()
  const events = openNodeEvents({ store, log })
  const runLog = openRunLog(store, localHost, bells)
  const runs = openRuns({ host: name, home, log: runLog, processes, executors, logger: log })
  opened.defer(() => runs.close())

  let offers: Implementation
  const service = localProc('service', (method) => {
    if (offers.get(method)?.operation.kind !== 'call') return undefined
    return async (params, context) => {
      const { bound, input } = admit(offers, method, params, context.principal)
      return bound.handle(input, context, noBody)
    }
  })
  const backendPath = socketPath(home.dir, 'backend.sock')
  const builtIn = [service, localProc('local', (method) => (Object.hasOwn(local, method) ? local[method] : undefined))]
  const procs = openProcs({ host: name, home, backendPath, processes, log }, builtIn)
  opened.defer(() => procs.close())
  opened.use(await openBackend(backendPath, procs.ready))

  const commands = openCommands({ catalog, policy, approvals })
  opened.defer(() => commands.close())

  let phase: 'starting' | 'up' | 'stopped' = 'starting'
  const shut = Promise.withResolvers<void>()
  async function shutDown(options: { timeoutMs: number; concurrency: number }): Promise<{ ended: number }> {
    phase = 'stopped'
    await events.publish('node.draining', { timeoutMs: options.timeoutMs })
    const ended = await procs.stopAll(options)
    // After the answer, which is given in this turn of the loop.
    setImmediate(() => shut.resolve())
    return { ended }
  }
  function requireUp(): void {
    if (phase === 'starting') throw failure('host.not_ready')
    if (phase === 'stopped') throw failure('host.stopped')
  }

  const door = openFrontDoor({
    policy,
    runs,
    procs,
    commands,
    approvals: approvals.operations,
    files: hostFiles({ jail, policy, approvals }),
    shutDown,
    requireUp,
    readings: [...readingOperations({ store, host: localHost, bells, outputDir: home.runDir, watched: true }), events.reading],
    info: async (principal) =>
      describeHost({
        activeRuns: runs.liveCount,
        kinds: runs.kinds,
        allows: policy.allowedFamilies(principal),
        catalogSize: await commands.count(principal),
      }),
  })
  // An envelope (proc.call to `service`) comes back here with what is in it; which host this is, the log's place says.
  offers = audited(door, { ...audit, meant: (operation) => operation, hostOf: () => null })
  await runs.adopt()
  await procs.adopt()
  phase = 'up'
  await events.publish('node.started', { version: softwareVersion })
  if (given.file !== undefined) {
    opened.use(
      await tellPolicyChanges({
        file: given.file,
        seenFile: home.policySeen,
        log,
        async onChange({ by, account, readable, added, removed }) {
          const told = (lines: typeof added) => policyTexts(lines.filter(({ isPublic }) => isPublic))
          audit.sink.note({
            actor: { kind: 'user', id: account ?? by, role: 'owner' },
            action: 'policy.change',
            decision: 'allowed',
            detail: { by, readable, added: policyTexts(added), removed: policyTexts(removed) },
          })
          await events.publish('node.policy_changed', { by, readable, added: told(added), removed: told(removed) })
        },
      }),
    )
  }

  const parts = opened.move()
  let closing: Promise<void> | undefined
  const close = () => {
    phase = 'stopped'
    closing ??= parts.disposeAsync()
    return closing
  }
  return { offers, shutDown: shut.promise, close, [Symbol.asyncDispose]: close }
}

const noBody: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} }
