// Output from a command on a tunnel host, through the hub's disk, to a reader over HTTP: how much a second, and how late a line is.

import { randomBytes } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readOutput } from '../../src/contract/output.ts'
import type { Figure, Row, Settings } from '../figure.ts'
import { lineDelays } from '../line-delays.ts'
import { inTurns, medianOf, percentile } from '../measure.ts'
import { type Muster, startMuster } from '../muster.ts'
import { pipeName, readPipe } from '../peers/pipe.ts'
import { readScp, scpName } from '../peers/scp.ts'
import { type Ssh, sshName, startSsh } from '../peers/ssh.ts'

const MB = 1_000_000
const linesPerSecond = 10

export const figure: Figure = {
  name: 'output',
  title: 'Output: host → hub disk → reader',
  async measure(settings) {
    await using muster = await startMuster()
    await muster.join('box')
    await muster.warm('box')
    await using ssh = await startSsh()
    const rows: Row[] = []
    for (const megabytes of settings.quick ? [5, 50] : [5, 50, 500]) {
      rows.push(...(await throughput(muster, ssh, megabytes, settings)))
    }
    rows.push(await lineDelay(muster, ssh, settings))
    return rows
  },
}

async function throughput(muster: Muster, ssh: Ssh | undefined, megabytes: number, { rounds, say }: Settings): Promise<Row[]> {
  await using file = await makeFile(megabytes * MB)
  const { path, bytes } = file
  const rate = async (seconds: Promise<number>) => bytes / MB / (await seconds)
  const measured = await inTurns(rounds, {
    ours: () => rate(readRun(muster, path, bytes)),
    pipe: () => rate(readPipe(path, bytes)),
    ...(ssh && { scp: () => rate(readScp(ssh, path, bytes)) }),
  })
  const what = `${megabytes} MB of output of one run, submit to last byte read`
  const ours = medianOf(measured.ours, 'MB/s')
  say(`${what}: ${ours.median.toFixed(0)} MB/s`)
  const goal = megabytes < 500 ? {} : { goal: { words: '≥ 100 MB/s', met: ours.median >= 100 } }
  return [
    { what, ours, peer: { name: pipeName, ...medianOf(measured.pipe, 'MB/s') }, ...goal },
    measured.scp
      ? { what, ours, peer: { name: scpName, ...medianOf(measured.scp, 'MB/s') } }
      : { what: `${what}, beside ${scpName}`, skipped: 'openssh-server is not installed' },
  ]
}

/** Seconds from the submission to the last byte, read while the run goes on. */
async function readRun({ client, submit }: Muster, path: string, expectedBytes: number): Promise<number> {
  const startedAt = performance.now()
  const run = await submit('box', ['cat', path])
  let bytes = 0
  let seconds = 0
  for await (const chunk of client.host('box').bytes(readOutput, { run: run.id, follow: true })) {
    bytes += chunk.length
    if (bytes === expectedBytes) seconds = (performance.now() - startedAt) / 1000
  }
  if (bytes !== expectedBytes) throw new Error(`the run's reader got ${bytes} of ${expectedBytes} bytes`)
  return seconds
}

async function lineDelay(muster: Muster, ssh: Ssh | undefined, { rounds, quick }: Settings): Promise<Row> {
  const lines = quick ? 20 : 100
  const measured = await inTurns(rounds, {
    ours: async () => percentile(await readLines(muster, lines), 50),
    ...(ssh && { ssh: async () => percentile(await lineDelays(ssh.read(lineWriter(lines))), 50) }),
  })
  const ours = medianOf(measured.ours, 'ms')
  return {
    what: `delay of a line at ${linesPerSecond} lines/s, written to read, p50`,
    ours,
    ...(measured.ssh && { peer: { name: sshName, ...medianOf(measured.ssh, 'ms') } }),
    goal: { words: '≤ 50 ms', met: ours.median <= 50 },
  }
}

/** A shell line that writes lines of nothing but the time, in nanoseconds. */
function lineWriter(lines: number): string {
  return `for i in $(seq ${lines}); do date +%s%N; sleep ${1 / linesPerSecond}; done`
}

/** The delay of each line, in milliseconds. */
async function readLines({ client, submit }: Muster, lines: number): Promise<number[]> {
  const run = await submit('box', ['/bin/sh', '-c', lineWriter(lines)])
  return lineDelays(client.host('box').bytes(readOutput, { run: run.id, follow: true }))
}

async function makeFile(bytes: number): Promise<AsyncDisposable & { path: string; bytes: number }> {
  const dir = await mkdtemp(join(tmpdir(), 'bench-output-'))
  const path = join(dir, 'bytes')
  const file = await open(path, 'w')
  const block = randomBytes(MB)
  for (let written = 0; written < bytes; written += block.length) await file.write(block)
  await file.close()
  return { path, bytes, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}
