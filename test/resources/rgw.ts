// Ceph's RADOS Gateway, as Debian has it: an S3 server that none of us wrote. A monitor, a store in memory and the gateway, on loopback,
// in a directory of their own; any account may start it.

import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { hasProgram } from '../../scripts/system-parts.ts'
import { until } from './muster.ts'
import { s3Credentials } from './s3-server.ts'

export interface Rgw extends AsyncDisposable {
  readonly endpoint: string
}

const programs = ['ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'ceph', 'ceph-authtool', 'monmaptool']

/** Why it cannot be started on this machine; undefined when it can. */
export function missingRgw(): string | undefined {
  const missing = programs.find((program) => !hasProgram(program))
  return missing && `${missing} is not installed`
}

/** With the bucket `drop`, and an account with the credentials of the in-repo server. */
export async function startRgw(): Promise<Rgw> {
  await using opened = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'muster-rgw-'))
  opened.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
  const [monitor, gateway] = [await freePort(), await freePort()]
  const cluster = randomUUID()
  const disk = randomUUID()
  await writeFile(join(dir, 'ceph.conf'), configuration({ dir, cluster, monitor, gateway }))
  await mkdir(join(dir, 'osd'))
  const run = (program: string, ...args: string[]) => carryOut(dir, program, args)
  const serve = (program: string, ...args: string[]) => opened.use(daemon(dir, program, args))

  const keyring = join(dir, 'keyring')
  await run('ceph-authtool', '--create-keyring', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *')
  await run('ceph-authtool', keyring, '--gen-key', '-n', 'client.admin', '--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *')
  await run('ceph-authtool', keyring, '--gen-key', '-n', 'osd.0', '--cap', 'mon', 'allow profile osd', '--cap', 'osd', 'allow *')
  await run('monmaptool', '--create', '--fsid', cluster, '--addv', 'a', `[v2:127.0.0.1:${monitor}]`, join(dir, 'monmap'))
  await run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', join(dir, 'monmap'), '--keyring', keyring)
  serve('ceph-mon', '-i', 'a', '-f')
  await run('ceph', 'osd', 'new', disk)
  await run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', disk)
  serve('ceph-osd', '-i', '0', '-f')
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = s3Credentials
  const keys = ['--access-key', AWS_ACCESS_KEY_ID, '--secret-key', AWS_SECRET_ACCESS_KEY]
  await run('radosgw-admin', 'user', 'create', '--uid', 'test', '--display-name', 'test', ...keys)
  const served = serve('radosgw', '-n', 'client.admin', '-f')
  const endpoint = `http://127.0.0.1:${gateway}`
  await until('the gateway answers', () => isAnswering(endpoint), served)
  await makeBucket(endpoint)

  const closing = opened.move()
  return { endpoint, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

function configuration(of: { dir: string; cluster: string; monitor: number; gateway: number }): string {
  return [
    '[global]',
    `fsid = ${of.cluster}`,
    `mon_host = v2:127.0.0.1:${of.monitor}/0`,
    'public_addr = 127.0.0.1',
    'cluster_addr = 127.0.0.1',
    ...['mon', 'osd', 'rgw'].map((daemon) => `${daemon}_data = ${of.dir}/${daemon}`),
    `keyring = ${of.dir}/keyring`,
    `run_dir = ${of.dir}`,
    `crash_dir = ${of.dir}`,
    `admin_socket = ${of.dir}/$name.$pid.asok`,
    `log_file = ${of.dir}/$name.log`,
    `mon_cluster_log_file = ${of.dir}/cluster.log`,
    'osd_objectstore = memstore',
    'osd_pool_default_size = 1',
    'osd_pool_default_min_size = 1',
    'osd_pool_default_pg_num = 1',
    'osd_pool_default_pg_autoscale_mode = off',
    'osd_crush_chooseleaf_type = 0',
    'mon_allow_pool_size_one = true',
    // It gathers changes of the cluster for a second each, and the gateway's first pools are a dozen: 12 s instead of 2.
    'paxos_propose_interval = 0.02',
    'paxos_min_wait = 0.01',
    `rgw_frontends = beast endpoint=127.0.0.1:${of.gateway}`,
    // Each of them keeps its keyring with its data by default.
    ...['mon', 'osd'].flatMap((daemon) => [`[${daemon}]`, `keyring = ${of.dir}/keyring`]),
    '',
  ].join('\n')
}

function begin(dir: string, program: string, args: readonly string[]) {
  const child = spawn(program, args, {
    cwd: dir,
    env: { ...process.env, CEPH_CONF: join(dir, 'ceph.conf') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => said.push(String(piece)))
  return { child, exited: once(child, 'exit'), log: () => said.join('') }
}

async function carryOut(dir: string, program: string, args: readonly string[]): Promise<void> {
  const { child, exited, log } = begin(dir, program, args)
  await exited
  if (child.exitCode !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${child.exitCode}:\n${log()}`)
}

function daemon(dir: string, program: string, args: readonly string[]) {
  const { child, exited, log } = begin(dir, program, args)
  return {
    log: () => `${program}:\n${log()}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function isAnswering(endpoint: string): Promise<true | undefined> {
  const response = await fetch(endpoint).catch(() => undefined)
  await response?.body?.cancel()
  return response?.ok || undefined
}

async function makeBucket(endpoint: string): Promise<void> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = s3Credentials
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
  await client.send(new CreateBucketCommand({ Bucket: 'drop' }))
  client.destroy()
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const at = server.address()
  server.close()
  await once(server, 'close')
  if (at === null || typeof at === 'string') throw new Error('no port')
  return at.port
}
