// Durable jobs a second, from the queue's taking it to its end on disk, beside the queues that people use.

import type { Figure, Row, Settings } from '../figure.ts'
import { type Absent, type JobQueue, type Manner, manners } from '../job-queue.ts'
import { inTurns, medianOf } from '../measure.ts'
import { musterOnPostgres, musterOnSqlite } from '../muster-queue.ts'
import { bullMq } from '../peers/bullmq.ts'
import { graphileWorker } from '../peers/graphile-worker.ts'
import { pgBoss } from '../peers/pg-boss.ts'
import { startDurablePostgres } from '../peers/postgres.ts'

const batchedGoal = 20_000
const sizes = { 'one by one': 1_000, batched: 10_000 } as const
const batches = [1_000, 10_000, 100_000]

export const figure: Figure = {
  name: 'jobs',
  title: 'Durable jobs: enqueued, claimed and completed, each step on disk before it is answered',
  async measure(settings) {
    await using opened = new AsyncDisposableStack()
    const postgres = opened.use(await startDurablePostgres())
    const embedded = opened.use(await musterOnSqlite())
    const others = [await musterOnPostgres(postgres), await graphileWorker(postgres), await pgBoss(postgres), await bullMq()]
    for (const other of others) if ('work' in other) opened.use(other)
    const rows: Row[] = []
    for (const manner of manners) rows.push(...(await compare(embedded, others, manner, settings)))
    return [...rows, ...(await byBatch(embedded, settings))]
  },
}

/** A row for each other queue: the same figure of ours beside each of theirs. */
async function compare(
  embedded: JobQueue,
  others: readonly (JobQueue | Absent)[],
  manner: Manner,
  { rounds, quick, say }: Settings,
): Promise<Row[]> {
  const jobsInATurn = quick ? sizes[manner] / 5 : sizes[manner]
  say(`${jobsInATurn} jobs ${manner}, ${rounds} rounds`)
  const present = [embedded, ...others.filter((other): other is JobQueue => 'work' in other)]
  const taken = await inTurns(
    rounds,
    Object.fromEntries(present.map((queue) => [queue.name, () => jobsASecond(queue, jobsInATurn, manner)])),
    { warmUps: 1 },
  )
  const valueOfQueue = ({ name }: { name: string }) => medianOf(taken[name] as number[], '/s')
  const ours = valueOfQueue(embedded)
  return others.map((other): Row => {
    const what = `jobs ${manner}`
    if ('reason' in other) return { what, skipped: `${other.name}: ${other.reason}` }
    const peer = { ...valueOfQueue(other), name: other.name }
    const note = `Muster: ${embedded.settings}. ${other.name}: ${other.settings}.`
    // Our other engine is no peer, but what there is to choose from.
    if (other.isOurs) return { what, ours, peer, note }
    return { what, ours, peer, goal: { words: `ahead of ${other.name}`, met: ours.median > peer.median }, note }
  })
}

async function byBatch(embedded: JobQueue, { rounds, quick, say }: Settings): Promise<Row[]> {
  const rows: Row[] = []
  for (const count of quick ? batches.slice(0, 2) : batches) {
    say(`${count} jobs at once`)
    const taken: number[] = []
    for (let round = 0; round < rounds; round += 1) taken.push(await jobsASecond(embedded, count, 'batched'))
    const ours = medianOf(taken, '/s')
    const goal = { words: '≥ 20,000/s on the embedded store', met: ours.median >= batchedGoal }
    rows.push({ what: `${count.toLocaleString('en')} jobs batched`, ours, goal, note: `Muster: ${embedded.settings}.` })
  }
  return rows
}

async function jobsASecond(queue: JobQueue, count: number, manner: Manner): Promise<number> {
  const startedAt = performance.now()
  await queue.enqueue(count, manner)
  const enqueuedAfterMs = performance.now() - startedAt
  return (count * 1_000) / (enqueuedAfterMs + (await queue.work(count, manner)))
}
