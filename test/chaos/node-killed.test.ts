// A node that is killed leaves its twenty commands alone. Started again it knows each: those that go on, those that ended
// meanwhile, and those whose pid is another process's now. Where its keeper was killed too, it says what nobody can know.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { getHostInfo } from '../../src/contract/host.ts'
import { applyProc, callProc } from '../../src/contract/proc.ts'
import { cancelRun } from '../../src/contract/run.ts'
import { identify, isAlive, type ProcessIdentity } from '../../src/host/process-identity.ts'
import { until } from '../resources/muster.ts'
import { compareStarts, countStarts, keepersOf, processesWith } from './checker.ts'
import { type Fleet, nodeName, startFleet } from './fleet.ts'
import { type HeldCommand, type Kind, startHeld } from './held-command.ts'
import { report, seed, seededRandom, trials } from './trials.ts'

const kills = trials(50, 5)
const kinds: Kind[] = [...Array(14).fill('run'), ...Array(2).fill('stdin'), ...Array(4).fill('proc')]

/** What becomes of a command, and what must be told of it in the end. */
const fates = {
  goesOn: 'its code',
  endsMeanwhile: 'its code',
  /** Its exit is on record, and its pid is a stranger's by the time that the node is back. */
  endsMeanwhileAndPidReused: 'its code',
  endsWhileNodeStarts: 'its code',
  /** Of a keeper that is killed too: */
  goesOnUnkept: 'lost',
  stoppedUnkept: 'cancelled',
  endsUnseen: 'lost',
  endsUnseenAndPidReused: 'lost',
  /** The node would go on to stop it as soon as it is back. */
  endsUnseenAndPidReusedWhileStopping: 'cancelled',
} as const
type Fate = keyof typeof fates

const keptFates: Fate[] = ['goesOn', 'goesOn', 'endsMeanwhile', 'endsMeanwhileAndPidReused', 'endsWhileNodeStarts']
const unkeptFates: Fate[] = [
  'goesOnUnkept',
  'goesOnUnkept',
  'stoppedUnkept',
  'endsMeanwhile',
  'endsMeanwhileAndPidReused',
  'endsUnseen',
  'endsUnseenAndPidReused',
  'endsUnseenAndPidReusedWhileStopping',
]

interface Fated {
  readonly command: HeldCommand
  readonly fate: Fate
  readonly identity: ProcessIdentity
}

/** In the environment of every command here, and of no other process. */
const mark = `CHAOS_NODE_KILLED=${process.pid}.${seed}`
const longGraceMs = 600_000
const stepDeadlineMs = 90_000

it(`${kills} kills with 20 commands each: all are known again, and their ends are right`, async () => {
  const random = seededRandom()
  await using fleet = await startFleet({ allow: ['runs', 'procs'] })
  const echo = await applyEcho(fleet)
  const begunAt = Date.now()
  const told = { 'its code': 0, lost: 0, cancelled: 0 }
  let keepers = 0
  for (let kill = 1; kill <= kills; kill++) {
    const keeperToo = random() < 0.4
    keepers += keeperToo ? 1 : 0
    for (const { fate } of await killOnce(fleet, kill, keeperToo, random)) told[fates[fate]] += 1
    expect(await whoIs(fleet), 'the proc that answers calls has called back').toBe(echo)
  }
  report(
    `node-killed: seed ${seed}, ${kills} kills (${keepers} with the keeper), ${kills * kinds.length} commands known again: ` +
      `${told['its code']} by their code, ${told.lost} lost and said so, ${told.cancelled} cancelled, ` +
      `${Math.round((Date.now() - begunAt) / 1000)} s`,
  )
})

async function killOnce(fleet: Fleet, kill: number, keeperToo: boolean, random: () => number): Promise<Fated[]> {
  const work = join(fleet.hub.home, 'trial')
  const starts = join(work, 'starts')
  const hostHome = join(fleet.node.home, 'host')
  await using stranger = await startStranger()
  const commands = await startCommands(fleet, work, starts, random)
  const fated = await assign(commands, keeperToo ? unkeptFates : keptFates, starts, random)
  const of = (...wanted: Fate[]) => fated.filter(({ fate }) => wanted.includes(fate))
  const why = `trial ${kill} of seed ${seed}`

  const host = fleet.client.host(nodeName)
  for (const { command } of of('endsUnseenAndPidReusedWhileStopping'))
    await host.call(cancelRun, { run: command.id, graceMs: longGraceMs })
  await delay(random() * 50)
  await fleet.node.kill()

  await end(of('endsMeanwhile', 'endsMeanwhileAndPidReused'))
  await recorded(hostHome, of('endsMeanwhile', 'endsMeanwhileAndPidReused'))
  if (keeperToo) await killKeeper(hostHome)
  await end(of('endsUnseen', 'endsUnseenAndPidReused', 'endsUnseenAndPidReusedWhileStopping'))
  for (const { command } of of('endsMeanwhileAndPidReused', 'endsUnseenAndPidReused', 'endsUnseenAndPidReusedWhileStopping'))
    await reusePid(join(hostHome, command.dir, 'spawn'), stranger.identity)

  fleet.node.start()
  if (random() < 0.3) await killWhileStarting(fleet, random)
  await release(of('endsWhileNodeStarts'))
  await fleet.nodeOnline()

  const live = of('goesOn', 'goesOnUnkept', 'stoppedUnkept')
  await until(
    `${why}: the node has taken up what goes on`,
    async () => {
      const { activeRuns } = await host.call(getHostInfo, {})
      return activeRuns === live.filter(({ command }) => command.kind !== 'proc').length ? true : undefined
    },
    { log: fleet.node.log },
  )
  for (const { command, identity } of live) {
    expect(await command.report(), `${why}: ${command.name}`).toMatchObject({ isLive: true, pid: identity.pid, exit: null })
  }
  for (const { command } of of('stoppedUnkept')) await host.call(cancelRun, { run: command.id, graceMs: 0 })
  await release(of('goesOn', 'goesOnUnkept'))

  for (const { command, fate } of fated) {
    const report = await until(
      `${why}: ${command.name}, which ${fate}, ends`,
      async () => {
        const now = await command.report()
        return now.isLive ? undefined : now
      },
      { log: fleet.node.log },
      stepDeadlineMs,
    )
    expect(report, `${why}: ${command.name}, which ${fate}`).toMatchObject(expected(command, fate))
  }
  expect(stranger.lives(), `${why}: the stranger lives`).toBe(true)
  expect(await processesWith(mark), `${why}: nothing is left`).toEqual([])
  const accepted = commands.map(({ name }) => name)
  expect(compareStarts(accepted, await countStarts(starts))).toEqual({ lost: [], doubled: [], unknown: [] })
  return fated
}

/** While it opens its store, takes up its commands, dials: what it has not done the next one does. */
async function killWhileStarting({ node }: Fleet, random: () => number): Promise<void> {
  await delay(random() * 500)
  await node.kill()
  node.start()
}

function expected({ kind, code }: HeldCommand, fate: Fate) {
  const nobodyKnows = { code: null, signal: null }
  switch (fates[fate]) {
    case 'its code':
      return { state: 'failed', exit: { code, signal: null }, error: null }
    case 'lost':
      return { state: 'failed', exit: nobodyKnows, error: kind === 'proc' ? null : 'run.lost' }
    case 'cancelled':
      return { state: 'cancelled', exit: nobodyKnows, error: null }
  }
}

async function startCommands({ client }: Fleet, work: string, starts: string, random: () => number): Promise<HeldCommand[]> {
  await rm(work, { recursive: true, force: true })
  await mkdir(work)
  const codes = shuffled(
    Array.from({ length: 255 }, (_, i) => i + 1),
    random,
  )
  const specs = kinds.map((kind, i) => ({
    kind,
    name: `${kind}-${i}`,
    code: codes[i] as number,
    pipe: join(work, `pipe-${i}`),
    starts,
    mark,
  }))
  await promisify(execFile)(
    'mkfifo',
    specs.map(({ pipe }) => pipe),
  )
  return Promise.all(specs.map((spec) => startHeld(client, spec)))
}

/** Waits until all run, and draws what becomes of each. What can only be asked of runs is not drawn for procs. */
async function assign(commands: HeldCommand[], drawn: Fate[], starts: string, random: () => number): Promise<Fated[]> {
  await until('all have started', async () => {
    const counts = await countStarts(starts).catch(() => new Map())
    return counts.size === commands.length ? true : undefined
  })
  return Promise.all(
    commands.map(async (command, i): Promise<Fated> => {
      const pid = await until(`${command.name} runs`, async () => {
        const report = await command.report()
        return report.state === (command.kind === 'proc' ? 'starting' : 'running') ? (report.pid ?? undefined) : undefined
      })
      const identity = await identify(pid)
      if (!identity) throw new Error(`${command.name} has ended by itself`)
      return { command, identity, fate: fateOf(command, drawn, i < drawn.length ? drawn[i] : undefined, random) }
    }),
  )
}

/** Each fate once, by the order of the commands; then as it comes. */
function fateOf({ kind }: HeldCommand, drawn: Fate[], wanted: Fate | undefined, random: () => number): Fate {
  const fate = wanted ?? (drawn[Math.floor(random() * drawn.length)] as Fate)
  const isUnkept = drawn.includes('goesOnUnkept')
  // Standard input is held by the keeper and written through the node: it ends such a command only where it must.
  if (kind === 'stdin') return isUnkept ? 'endsUnseen' : 'goesOn'
  if (kind === 'proc' && fates[fate] === 'cancelled') return 'goesOnUnkept'
  return fate
}

async function release(fated: readonly Fated[]): Promise<void> {
  await Promise.all(fated.map(({ command }) => command.release()))
}

/** Ends them while nobody can ask their host. One that waits at its standard input ends with its keeper, who held the other end. */
async function end(fated: readonly Fated[]): Promise<void> {
  await release(fated.filter(({ command }) => command.kind !== 'stdin'))
  for (const { command, identity } of fated)
    await until(`${command.name} has ended`, async () => ((await isAlive(identity)) ? undefined : true))
}

async function recorded(hostHome: string, fated: readonly Fated[]): Promise<void> {
  for (const { command } of fated) {
    await until(`the end of ${command.name} is on record`, async () =>
      stat(join(hostHome, command.dir, 'exit')).then(
        () => true,
        () => undefined,
      ),
    )
  }
}

async function killKeeper(hostHome: string): Promise<void> {
  const pids = await keepersOf(hostHome)
  expect(pids, 'a home has one keeper').toHaveLength(1)
  const keeper = await identify(pids[0] as number)
  if (!keeper) throw new Error('the keeper has ended by itself')
  process.kill(keeper.pid, 'SIGKILL')
  await until('the keeper is gone', async () => ((await isAlive(keeper)) ? undefined : true))
}

/** What the disk says when the system has given the pid away: the number of a process that lives, with another's start time. */
async function reusePid(file: string, { pid }: ProcessIdentity): Promise<void> {
  const record: { spawned: ProcessIdentity } = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...record, spawned: { ...record.spawned, pid } }))
}

interface Stranger extends AsyncDisposable {
  readonly identity: ProcessIdentity
  lives(): boolean
}

/** A process that has nothing to do with any host and leads a group of its own, as a daemon does. */
async function startStranger(): Promise<Stranger> {
  const child: ChildProcess = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
  const identity = await identify(child.pid as number)
  if (!identity) throw new Error('the stranger did not start')
  return {
    identity,
    lives: () => child.exitCode === null && child.signalCode === null,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
    },
  }
}

/** A proc that answers calls; its pid. */
async function applyEcho(fleet: Fleet): Promise<number> {
  const program = new URL('../programs/echo-proc.ts', import.meta.url).pathname
  await fleet.client.host(nodeName).call(applyProc, { proc: 'echo', spec: { argv: [process.execPath, program] } })
  return whoIs(fleet)
}

async function whoIs({ client }: Fleet): Promise<number> {
  const answer = await client.host(nodeName).call(callProc, { proc: 'echo', method: 'whoami', params: {} })
  return (answer as { pid: number }).pid
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  return all
    .map((one) => ({ one, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
