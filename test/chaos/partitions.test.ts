// Hub and host on two machines with a cable between them, as far as their kernel knows: the cable swallows what is sent, both ways or
// one, loses packets, carries only small ones, and addresses change. Nobody is told; runs go on, the host is shown as away in time and
// comes back by itself, and who follows sees neither gap nor repeat. All at the same time, for these tests mostly wait.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import { findRun, submitRun } from '../../src/contract/fleet.ts'
import { type HostRow, listHosts } from '../../src/contract/host.ts'
import { readOutput } from '../../src/contract/output.ts'
import { defaultLimits } from '../../src/wire/limits.ts'
import { makeHome, until } from '../resources/muster.ts'
import { endOf } from './client.ts'
import { type FarHub, reach, serveFarHub } from './far-hosts.ts'
import { followRun } from './followers.ts'
import { type Cable, type Network, noNamespaces, openNetwork } from './namespaces.ts'
import { report, seed, seededRandom } from './trials.ts'

const countUntil = fileURLToPath(new URL('../programs/count-until.mjs', import.meta.url))
const everyMs = 20
/** Of a wire that is silent, also one through ssh: looked for three times in a `keepaliveMs`. */
const silenceMs = defaultLimits.deadMs + defaultLimits.keepaliveMs / 3
/** The other hub is asked every 5 s, and once more before it counts; an answer may take 5 s. */
const unansweredMs = 15_000
/** For what this machine is busy with. */
const allowanceMs = 30_000
/** For what should come at once, and comes late where so many processes start. */
const patienceMs = 120_000
const largeBytes = 3_000_000

interface Case {
  readonly way: keyof typeof reach
  readonly what: string
  readonly latencyMs?: number
  readonly breaks: (cable: Cable) => void
  /** Whether packets are swallowed on the cable itself, where they are counted. Default: they are. */
  readonly vanishes?: boolean
  /** How long until it is away; undefined where nothing has to be noticed, since it goes on by itself. */
  readonly noticedMs?: number
  /** Whether it comes back without the cable being mended. */
  readonly mendsItself?: boolean
  /** Whether it takes more than small packets for anybody to notice. */
  readonly poured?: boolean
}

const bothWays = { what: 'partition', breaks: (cable: Cable) => cable.swallow(['out', 'back']) }
const toHub = { what: 'nothing-to-the-hub', breaks: (cable: Cable) => cable.swallow(['out']) }
const toHost = { what: 'nothing-to-the-host', breaks: (cable: Cable) => cable.swallow(['back']) }
/** Five of a hundred, where the seed says. */
const lost = new Set<number>()
for (const random = seededRandom(); lost.size < 5; ) lost.add(Math.floor(random() * 100))
const lossy = { what: 'lossy', latencyMs: 20, breaks: (cable: Cable) => cable.lose([...lost]) }
const moves = (end: 'hub' | 'host') => ({ what: `${end}-moves`, breaks: (cable: Cable) => cable.move(end), vanishes: false })

/** Those that take longest first. */
const cases: readonly Case[] = [
  { way: 'tunnel', ...bothWays, noticedMs: silenceMs },
  { way: 'ssh', ...bothWays, noticedMs: silenceMs },
  { way: 'tunnel', ...toHub, noticedMs: silenceMs },
  { way: 'ssh', ...toHub, noticedMs: silenceMs },
  { way: 'tunnel', ...toHost, noticedMs: silenceMs },
  { way: 'tunnel', ...moves('host'), noticedMs: silenceMs, mendsItself: true },
  { way: 'ssh', ...moves('hub'), noticedMs: silenceMs, mendsItself: true },
  {
    way: 'tunnel',
    what: 'only-small-packets',
    breaks: (cable) => cable.swallowLarger(1_000),
    noticedMs: silenceMs,
    poured: true,
  },
  { way: 'http', ...bothWays, noticedMs: unansweredMs },
  { way: 'http', ...toHub, noticedMs: unansweredMs },
  // The next question goes by another connection.
  { way: 'http', ...moves('hub') },
  { way: 'tunnel', ...lossy },
  { way: 'ssh', ...lossy },
  { way: 'http', ...lossy },
]

const nameOf = ({ way, what }: Case) => `${way}-${what}`

const lacking = noNamespaces ?? (hasProgram('sshd') ? undefined : 'there is no sshd here')

describe.skipIf(lacking !== undefined)(
  `between two network namespaces, seed ${seed}${lacking === undefined ? '' : ` (${lacking})`}`,
  () => {
    const opened = new AsyncDisposableStack()
    let begun: Promise<ReadonlyMap<string, Promise<string>>> | undefined

    /** Each case's outcome, once all have been begun. One that could not even be begun has an outcome too, and fails no other. */
    async function beginAll(): Promise<ReadonlyMap<string, Promise<string>>> {
      const outcomes = new Map<string, Promise<string>>()
      const network = opened.use(openNetwork())
      const plugged = cases.map((one) => ({ one, cable: network.plug() }))
      const cables = plugged.map(({ cable }) => cable)
      const hub = opened.use(await serveFarHub(network, cables))
      for (const { one, cable } of plugged) {
        const underWay = Promise.withResolvers<void>()
        const outcome = survives(one, { hub, network, cable, onBegun: underWay.resolve }).finally(underWay.resolve)
        // Its test tells.
        outcome.catch(() => undefined)
        outcomes.set(nameOf(one), outcome)
        // One after the other: what is measured is not how so many processes start at once.
        await underWay.promise
      }
      return outcomes
    }
    afterAll(async () => {
      await Promise.allSettled((await begun?.catch(() => undefined))?.values() ?? [])
      await opened.disposeAsync()
    })

    it.each(cases.map((one) => ({ ...one, name: nameOf(one) })))(
      '$way, $what: nothing is lost, repeated or stopped',
      async ({ name }) => {
        // Begun by whichever test comes first, and not before all: what cannot be set up fails each test, and skips none.
        begun ??= beginAll()
        report((await (await begun).get(name)) ?? '')
      },
    )
  },
)

/** What happened, in a sentence. */
async function survives(one: Case, of: { hub: FarHub; network: Network; cable: Cable; onBegun: () => void }): Promise<string> {
  const { breaks, vanishes = true, noticedMs, mendsItself = false, poured = false, latencyMs = 0 } = one
  const { hub, cable } = of
  const { client } = hub
  const name = nameOf(one)
  await using opened = new AsyncDisposableStack()
  const notes = opened.use(await makeHome())
  const stop = join(notes.path, 'stop')
  const lastFile = join(notes.path, 'last')
  const far = await reach[one.way]({ ...of, name, latencyMs, opened })
  const isOnline = () => rowIf(hub, name, ({ status }) => status === 'online')
  await until(`${name} is online`, isOnline, far, patienceMs)
  const spec = { kind: 'command' as const, argv: [process.execPath, countUntil, stop, lastFile, `${everyMs}`] }
  const { id: run } = await client.hub.call(submitRun, { host: name, spec })
  await using followers = followRun({ home: hub.home, client, host: name, run })
  const reads = (line: number) =>
    until(
      `line ${line} of ${name} is read`,
      async () => (followers.soFar().includes(`\n${line}\n`) ? true : undefined),
      far,
      patienceMs,
    )
  await reads(20)
  const { since = '' } = await until(`${name} is online`, isOnline, far, patienceMs)
  of.onBegun()

  breaks(cable)
  const brokenAt = performance.now()
  const after = () => Math.round(performance.now() - brokenAt)
  const large = poured ? await client.hub.call(submitRun, { host: name, spec: pouring }).catch(() => undefined) : undefined
  const story: string[] = []
  if (noticedMs === undefined) {
    const line = readNow(followers.soFar())
    await reads(line + 500)
    story.push(`500 lines more within ${after()} ms`)
    // On a machine that is busy enough, a question or two that nobody answers make it seem away for a moment.
    const now = await until(`${name} is online`, isOnline, far, patienceMs)
    story.push(now.since === since ? 'never away' : `away for a moment, back since ${now.since}`)
    if (vanishes) story.push(vanished(cable))
  } else {
    const away = await until(
      `${name} is shown offline`,
      () => rowIf(hub, name, (row) => row.status === 'offline' || (row.since ?? '') > (since ?? '')),
      far,
      noticedMs + allowanceMs,
    )
    story.push(`offline after ${after()} ms (${away.reason ?? 'and back'})`)
    // One that mends itself may be back by now, and one that small packets still reach.
    if (away.status === 'offline' && !mendsItself && !poured)
      expect((await client.hub.call(findRun, { run })).unreachableSince).not.toBeNull()
    if (vanishes) story.push(vanished(cable))
    if (!mendsItself) cable.mend()
    const mended = after()
    const isBack = ({ status, since: now }: HostRow) => status === 'online' && (now ?? '') > (since ?? '')
    await until(`${name} is back`, () => rowIf(hub, name, isBack), far, patienceMs)
    story.push(`back ${after() - mended} ms after ${mendsItself ? 'that' : 'the mend'}`)
    await reads(readNow(followers.soFar()) + 50)
  }

  await writeFile(stop, '')
  const ended = async () => Number(await readFile(lastFile, 'utf8').catch(() => '')) || undefined
  const last = await until('it has ended', ended, far, patienceMs)
  await followers.haveAll(last)
  expect(await endOf(client, run, patienceMs)).toMatchObject({ state: 'succeeded', exit: { code: 0 }, unreachableSince: null })
  if (large) {
    expect(await endOf(client, large.id, patienceMs)).toMatchObject({ state: 'succeeded' })
    let bytes = 0
    for await (const part of client.host(name).bytes(readOutput, { run: large.id, follow: true })) bytes += part.length
    expect(bytes).toBe(largeBytes)
  }
  return `${name}: ${story.join(', ')}; ${last} lines whole for four readers`
}

/** A cable that swallows nothing proves nothing. */
function vanished(cable: Cable): string {
  const packets = cable.vanished()
  expect(packets).toBeGreaterThan(0)
  return `${packets} packets swallowed`
}

const pouring = { kind: 'command' as const, argv: ['head', '-c', `${largeBytes}`, '/dev/zero'] }

async function rowIf({ client }: FarHub, name: string, fits: (row: HostRow) => boolean): Promise<HostRow | undefined> {
  const { hosts } = await client.hub.call(listHosts, {})
  return hosts.find((row) => row.name === name && fits(row))
}

function readNow(text: string): number {
  return text.split('\n').length - 1
}
