// `muster cp` to a tunnel host beside `scp`: a large file with its SHA-256 at both ends, the same over a long line, many small files. All
// sides are commands as people type them, over a connection that is open. Ours are flushed to disk, scp's are not.

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { muster as cli, joinNode, makeHome } from '../../test/resources/muster.ts'
import { openProxy } from '../../test/resources/proxy.ts'
import type { Figure, Row, Settings } from '../figure.ts'
import { inTurns, medianOf } from '../measure.ts'
import { type Muster, startMuster } from '../muster.ts'
import { sendByScp } from '../peers/scp.ts'
import { type Ssh, startSsh } from '../peers/ssh.ts'

const run = promisify(execFile)
const MB = 1_000_000
/** Long and wide: what limits a copy is how much of it its sender lets be under way. */
const line = { latencyMs: 20, underWayBytes: 16 * 1024 * 1024 }
const smallBytes = 1024

interface Between {
  readonly muster: Muster
  readonly ssh: Ssh | undefined
  /** Holds the sources and scp's copies; ours lie in the host's own directory. */
  readonly dir: string
}

export const figure: Figure = {
  name: 'copy',
  title: 'Files: muster cp to a tunnel host',
  async measure(settings) {
    await using opened = new AsyncDisposableStack()
    const dir = await mkdtemp(join(tmpdir(), 'bench-copy-'))
    opened.defer(() => rm(dir, { recursive: true, force: true }))
    const muster = opened.use(await startMuster())
    await muster.join('box', ['file.*'])
    const between = { muster, ssh: opened.use(await startSsh()), dir }
    return [await large(between, settings), await farAway(between, settings), await small(between, settings)]
  },
}

async function large({ muster, ssh, dir }: Between, { rounds, quick, say }: Settings): Promise<Row> {
  const megabytes = quick ? 100 : 1000
  const file = await makeFile(dir, megabytes)
  const rate = async (seconds: Promise<number>) => megabytes / (await seconds)
  const measured = await inTurns(rounds, {
    ours: () => rate(sendByMuster(muster, [file, 'box:'])),
    ...(ssh && { scp: () => rate(sendWithSums(ssh, file)) }),
  })
  await rm(file)
  const ours = medianOf(measured.ours, 'MB/s')
  say(`${megabytes} MB: ${ours.median.toFixed(0)} MB/s`)
  return {
    what: `copy ${megabytes} MB with its SHA-256 at both ends`,
    ours,
    ...(measured.scp && { peer: { name: 'scp, then sha256sum at both ends at once', ...medianOf(measured.scp, 'MB/s') } }),
    ...(!quick && { goal: { words: '≥ 200 MB/s', met: ours.median >= 200 } }),
    note: 'copies: ours is flushed to disk and renamed, scp’s is not; the ssh connection is open before',
  }
}

async function farAway({ muster, ssh, dir }: Between, { rounds, quick, say }: Settings): Promise<Row> {
  const megabytes = quick ? 20 : 200
  const file = await makeFile(dir, megabytes)
  await using proxy = await openProxy(muster.hub.url, line)
  await using home = await makeHome()
  await using _node = await joinNode(muster.hub, 'far', home, { via: proxy.url, allow: ['file.*'] })
  await using farSsh = await ssh?.through(line)
  const rate = async (seconds: Promise<number>) => megabytes / (await seconds)
  const measured = await inTurns(rounds, {
    ours: () => rate(sendByMuster(muster, [file, 'far:'])),
    ...(farSsh && { scp: () => rate(sendByScp(farSsh, [], file, `${file}.far`)) }),
  })
  await rm(file)
  const ours = medianOf(measured.ours, 'MB/s')
  say(`${megabytes} MB over a line of ${line.latencyMs} ms each way: ${ours.median.toFixed(0)} MB/s`)
  return {
    what: `copy ${megabytes} MB over a line of ${line.latencyMs} ms each way`,
    ours,
    ...(measured.scp && { peer: { name: 'scp, without a digest', ...medianOf(measured.scp, 'MB/s') } }),
  }
}

async function small({ muster, ssh, dir }: Between, { rounds, quick, say }: Settings): Promise<Row> {
  const count = quick ? 1_000 : 10_000
  const tree = join(dir, 'tree')
  await makeTree(tree, count)
  let n = 0
  const measured = await inTurns(rounds, {
    ours: () => sendByMuster(muster, ['-r', tree, `box:tree-${n++}`]),
    ...(ssh && { scp: () => sendByScp(ssh, ['-r'], tree, join(dir, `copy-${n++}`)) }),
  })
  const ours = medianOf(measured.ours, 's')
  say(`${count} files of ${smallBytes} bytes: ${ours.median.toFixed(1)} s`)
  return {
    what: `copy ${count} files of ${smallBytes} bytes`,
    ours,
    ...(measured.scp && { peer: { name: 'scp -r, without digests', ...medianOf(measured.scp, 's') } }),
  }
}

/** Seconds. */
async function sendByMuster({ home }: Muster, args: readonly string[]): Promise<number> {
  const startedAt = performance.now()
  const { code, stderr } = await cli(home.path, ['cp', '--force', ...args])
  if (code !== 0) throw new Error(`muster cp exited ${code}: ${stderr}`)
  return (performance.now() - startedAt) / 1000
}

async function sendWithSums(ssh: Ssh, file: string): Promise<number> {
  const copy = `${file}.copy`
  const sent = await sendByScp(ssh, [], file, copy)
  const startedAt = performance.now()
  const [here, there] = await Promise.all([run('sha256sum', [file]), ssh.run(`sha256sum ${copy}`)])
  if (here.stdout.slice(0, 64) !== there.slice(0, 64)) throw new Error('scp gave other bytes')
  const seconds = sent + (performance.now() - startedAt) / 1000
  await rm(copy)
  return seconds
}

async function makeFile(dir: string, megabytes: number): Promise<string> {
  const path = join(dir, `file-${megabytes}`)
  await using file = await open(path, 'w')
  const block = randomBytes(MB)
  for (let written = 0; written < megabytes; written++) await file.write(block)
  await file.sync()
  return path
}

async function makeTree(tree: string, count: number): Promise<void> {
  for (let dir = 0; dir < count / 100; dir++) {
    await mkdir(join(tree, String(dir)), { recursive: true })
    for (let n = 0; n < 100; n++) await writeFile(join(tree, String(dir), String(n)), randomBytes(smallBytes))
  }
  if ((await readdir(tree)).length !== count / 100) throw new Error('the tree is not as it was to be')
}
