// Listening: one HTTP server for TCP, one for the local socket, both handing their requests to the same place.

import { chmod, lstat, mkdir, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import { failure } from '../contract/errors.ts'
import { type ListenerTls, type TlsServer, tlsServer } from './tls.ts'

/** Uploads last as long as they last; only the headers have a deadline, as long as the tunnel's handshake has. */
const serverOptions = {
  requestTimeout: 0,
  headersTimeout: 10_000,
  // By itself Node looks at the headers' deadline only every 30 s.
  connectionsCheckingInterval: 2_000,
  keepAliveTimeout: 30_000,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  noDelay: true,
}

export function httpServer(listener: RequestListener): Server {
  return createServer(serverOptions, listener)
}

export function httpsServer(listener: RequestListener, tls: ListenerTls): TlsServer {
  return tlsServer(serverOptions, listener, tls)
}

/** Resolves with the URLs at which it can be reached. Rejects with `hub.bind_failed`. */
export async function listenTcp(
  server: Server,
  { host, port }: { host: string; port: number },
  scheme: 'http' | 'https',
): Promise<string[]> {
  await listen(server, { host, port }, `${bracketed(host)}:${port}`)
  const { address, port: actual } = server.address() as AddressInfo
  return reachable(address).map((one) => `${scheme}://${bracketed(one)}:${actual}`)
}

/**
 * Listens on a socket that only this account can open: 0600 in a directory of its own, 0700. A socket that a dead process
 * left is replaced; one that answers is `hub.bind_failed`.
 */
export async function listenUnix(server: Server, path: string): Promise<void> {
  const dir = dirname(path)
  await ownDirectory(dir)
  if (await isLive(path)) throw failure('hub.bind_failed', { address: path, problem: 'another process is listening there' })
  await rm(path, { force: true })
  await listen(server, { path }, path)
  await chmod(path, 0o600)
}

async function listen(server: Server, where: { host: string; port: number } | { path: string }, address: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(where, resolve)
  try {
    await promise
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const problem = (code && problems[code]) ?? message
    throw failure('hub.bind_failed', { address, problem }, { cause: error })
  } finally {
    server.off('error', reject)
  }
}

const problems: Record<string, string> = {
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'this account may not use it',
  ENOTFOUND: 'the name is not known',
  EINVAL: 'it is not a usable address',
}

function reachable(address: string): string[] {
  if (address !== '0.0.0.0' && address !== '::') return [address]
  const others = Object.values(networkInterfaces())
    .flat()
    .filter((one) => one !== undefined && !one.internal && (address === '::' || one.family === 'IPv4'))
    .map((one) => one?.address ?? '')
    .filter((one) => !one.startsWith('fe80:'))
  return ['127.0.0.1', ...others]
}

function bracketed(address: string): string {
  return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address
}

async function ownDirectory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const { uid, mode } = await lstat(dir)
  if (uid !== process.getuid?.()) throw failure('home.unusable', { path: dir, problem: 'it belongs to another account' })
  if ((mode & 0o077) !== 0) await chmod(dir, 0o700)
}

function isLive(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const probe = connect({ path })
  probe.once('connect', () => resolve(true))
  probe.once('error', () => resolve(false))
  return promise.finally(() => probe.destroy())
}
