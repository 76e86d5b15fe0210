// A call of ours in turns with the same over its peers: one at a time for the time that each takes, many in flight for how many a second.

import { keepApart } from './apart.ts'
import { type Answerer, oneByOne, perSecond } from './asking.ts'
import type { Measured, Row, Settings } from './figure.ts'
import { inTurns, medianOf, percentile } from './measure.ts'
import { natsName } from './peers/nats.ts'
import { wsName } from './peers/ws-echo.ts'

/** Compilers need some ten thousand calls before every side is as fast as it gets. */
const warmUps = 3

/** What is promised of the median, as a multiple of a peer's. */
const latencyGoals: Readonly<Record<string, { readonly words: string; readonly times: number }>> = {
  [wsName]: { words: `≤ 2 × ${wsName}`, times: 2 },
  [natsName]: { words: 'ahead of NATS', times: 1 },
}

export interface Asked {
  /** In the table, with `, p50` or ` a second, 64 in flight` after it. */
  readonly what: string
  readonly ask: () => Promise<unknown>
  readonly note?: string
}

/**
 * Microseconds of one call at a time: the median, which is promised, and the 99th percentile. `answering`: our processes that do; `calls`
 * in a round.
 */
export async function oneAtATime(
  { what, ask, note, answering, calls: most = 5000 }: Asked & { readonly answering: readonly number[]; readonly calls?: number },
  peers: readonly Answerer[],
  { rounds, quick, say }: Settings,
): Promise<Row[]> {
  await using apart = await keepApart([...answering, ...peers.flatMap(({ pids }) => pids)])
  const calls = quick ? most / 5 : most
  const measured = await inTurns(
    rounds,
    besides(ask, peers, (one) => () => oneByOne(one, calls)),
    { warmUps },
  )
  const told = [note, apart ? 'the one who asks has a core, those who answer another' : 'no core of their own']
  return [50, 99].flatMap((percent) => {
    const value = (took: readonly number[][] = []) =>
      medianOf(
        took.map((one) => percentile(one, percent)),
        'µs',
      )
    const mine = { what: `${what}, p${percent}`, ours: value(measured.ours), note: told.filter(Boolean).join('; ') }
    say(`${mine.what}: ${mine.ours.median.toFixed(0)} µs`)
    const rows = peers.map(({ name }): Measured => ({ ...mine, peer: { name, ...value(measured[name]) } }))
    return percent === 50 ? rows.map(withLatencyGoal) : rows
  })
}

function withLatencyGoal(row: Measured): Measured {
  const { ours, peer } = row
  const goal = peer && latencyGoals[peer.name]
  return goal ? { ...row, goal: { words: goal.words, met: ours.median <= goal.times * peer.median } } : row
}

/** Answers a second while so many are always asked for. `aheadOf`: the peer than which no fewer are promised. */
export async function pipelined(
  { what, ask }: Asked,
  peers: readonly Answerer[],
  { inFlight, aheadOf }: { readonly inFlight: number; readonly aheadOf?: string },
  { rounds, quick, say }: Settings,
): Promise<Row[]> {
  const calls = quick ? 5000 : 20_000
  const measured = await inTurns(
    rounds,
    besides(ask, peers, (one) => () => perSecond(one, calls, inFlight)),
    { warmUps: 1 },
  )
  const mine = { what: `${what} a second, ${inFlight} in flight`, ours: medianOf(measured.ours ?? [], '/s') }
  say(`${mine.what}: ${mine.ours.median.toFixed(0)}`)
  return peers.map(({ name }): Measured => {
    const peer = { name, ...medianOf(measured[name] ?? [], '/s') }
    const goal = { words: 'ahead of NATS', met: mine.ours.median >= peer.median }
    return { ...mine, peer, ...(name === aheadOf && { goal }) }
  })
}

/** The sides of a measurement, ours first. */
function besides<Sample>(
  ask: Asked['ask'],
  peers: readonly Answerer[],
  measure: (ask: Asked['ask']) => () => Promise<Sample>,
): { ours: () => Promise<Sample>; [peer: string]: () => Promise<Sample> } {
  return { ours: measure(ask), ...Object.fromEntries(peers.map((peer) => [peer.name, measure(peer.ask)])) }
}
