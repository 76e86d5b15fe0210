// `muster hub start`: a hub in the background. It is the same `hub serve`, detached, with its log in hub/hub.log.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorValue, failure, MusterError } from '../../contract/errors.ts'
import { type Home, openHome } from '../home.ts'
import { findHub, type HubRecord } from '../hub-record.ts'
import { showBind } from '../options.ts'
import type { Action } from '../perform.ts'
import { selfCommand } from '../self.ts'
import type { HubSettings } from '../serve-hub.ts'
import type { Terminal } from '../terminal.ts'
import { readSettings, type ServeOptions } from './settings.ts'

const readyDeadlineMs = 30_000
const pollMs = 25

export const start: Action<ServeOptions, []> = async (terminal, options) => {
  const home = await openHome(terminal.env)
  const running = await findHub(home)
  if (running) throw failure('hub.running', { url: running.urls[0] ?? running.socket, pid: running.pid })
  const settings = await readSettings(terminal, options)
  const child = await spawnHub(terminal, home, settings)
  const record = await untilReady(home, child)
  child.unref()
  return { json: { ...record, log: home.hubLog }, text: `The hub is ready at ${record.urls.join(', ')} (pid ${record.pid}).` }
}

async function spawnHub(
  { env }: Terminal,
  home: Home,
  { bind, token, label, storeUrl, allowHosts, readOnly, tls }: HubSettings,
): Promise<ChildProcess> {
  await mkdir(home.hubDir, { recursive: true, mode: 0o700 })
  await rm(home.hubEnded, { force: true })
  await using log = await open(home.hubLog, 'a', 0o600)
  const { node, script } = selfCommand()
  const args = [
    script,
    'hub',
    'serve',
    '--bind',
    showBind(bind),
    '--output',
    home.hubEnded,
    ...(token === undefined ? [] : ['--token-stdin']),
    ...allowHosts.flatMap((name) => ['--allow-host', name]),
    ...(readOnly ? ['--read-only'] : []),
    ...(tls === 'own' ? ['--tls'] : []),
    ...(typeof tls === 'object' ? ['--tls-cert', tls.certFile, '--tls-key', tls.keyFile] : []),
  ]
  const child = spawn(node, args, {
    detached: true,
    cwd: home.dir,
    stdio: ['pipe', log.fd, log.fd],
    // By the environment, since a database's URL may hold a password.
    env: {
      ...env,
      // The child stands elsewhere, where a relative home would be another.
      MUSTER_HOME: home.dir,
      ...(label !== undefined && { MUSTER_HUB_LABEL: label }),
      ...(storeUrl !== undefined && { MUSTER_STORE: storeUrl }),
    },
  })
  // A hub that ended at once says why in its record; the broken pipe would only hide that.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(token === undefined ? undefined : `${token}\n`)
  return child
}

async function untilReady(home: Home, child: ChildProcess): Promise<HubRecord> {
  const deadline = performance.now() + readyDeadlineMs
  while (performance.now() < deadline) {
    const record = await findHub(home)
    if (record?.pid === child.pid && record) return record
    if (child.exitCode !== null || child.signalCode !== null) throw await whyEnded(home, child)
    await sleep(pollMs)
  }
  child.kill('SIGTERM')
  throw failure('hub.stuck', { pid: child.pid ?? 0, doing: 'get ready', ms: readyDeadlineMs })
}

async function whyEnded(home: Home, child: ChildProcess): Promise<MusterError> {
  const how = child.signalCode ?? `exit ${child.exitCode}`
  try {
    const { error } = JSON.parse(await readFile(home.hubEnded, 'utf8')) as { error: ErrorValue }
    return new MusterError(error)
  } catch (cause) {
    return failure('internal', { problem: `the hub ended (${how}) and left no reason but its log, ${home.hubLog}` }, { cause })
  }
}
