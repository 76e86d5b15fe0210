// nginx, ending TLS before a hub as it does on many machines: with the configuration that docs/connectors/tunnel.md shows.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificate } from './certificates.ts'
import { until } from './muster.ts'

export interface Nginx extends AsyncDisposable {
  readonly url: string
}

/** `silentForS`: how long it lets a connection be silent. */
export async function openNginx(
  target: string,
  { key, cert }: Certificate,
  { silentForS }: { silentForS: number },
): Promise<Nginx> {
  await using opened = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'muster-nginx-'))
  opened.defer(() => rm(dir, { recursive: true, force: true }))
  const port = await freePort()
  await writeFile(join(dir, 'key.pem'), key)
  await writeFile(join(dir, 'cert.pem'), cert)
  await writeFile(join(dir, 'nginx.conf'), configuration({ dir, port, target, silentForS }))
  const child = spawn('nginx', ['-e', 'stderr', '-c', join(dir, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'close')
  opened.defer(async () => {
    child.kill('SIGTERM')
    await ended
  })
  let log = ''
  child.stderr.on('data', (piece) => {
    log += String(piece)
  })
  await until('nginx listens', () => listensAt(port), { child, log: () => log })
  const closing = opened.move()
  return { url: `https://localhost:${port}`, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

function configuration(of: { dir: string; port: number; target: string; silentForS: number }): string {
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${of.dir};`)
  return `
    daemon off;
    worker_processes 1;
    pid ${of.dir}/pid;
    events {}
    http {
      access_log off;
      ${scratch.join('\n')}
      map $http_upgrade $connection_upgrade { default upgrade; '' close; }
      server {
        listen 127.0.0.1:${of.port} ssl;
        ssl_certificate ${of.dir}/cert.pem;
        ssl_certificate_key ${of.dir}/key.pem;
        location / {
          proxy_pass ${of.target};
          proxy_http_version 1.1;
          proxy_set_header Host $host;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection $connection_upgrade;
          proxy_buffering off;
          proxy_read_timeout ${of.silentForS}s;
        }
      }
    }
  `
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

function listensAt(port: number): Promise<true | undefined> {
  const { promise, resolve } = Promise.withResolvers<true | undefined>()
  const socket = connect({ host: '127.0.0.1', port })
  socket.once('connect', () => resolve(true)).once('error', () => resolve(undefined))
  return promise.finally(() => socket.destroy())
}
