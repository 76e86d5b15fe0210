// Brings what Muster is measured against; runs before `npm run bench`. What cannot be had is skipped there, by name.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../scripts/files.ts'
import { installPrograms } from '../scripts/system-parts.ts'

installPrograms('the benchmarks', [
  { program: 'redis-server', debian: 'redis-server' },
  { program: 'nats-server', debian: 'nats-server' },
  { program: 'sshd', debian: 'openssh-server' },
  { program: 'ssh', debian: 'openssh-client' },
])
if (!isInstalled()) {
  console.log('Installing the packages of bench/package-lock.json (once) ...')
  const args = ['ci', '--prefix', join(root, 'bench'), '--loglevel=error']
  const done = spawnSync('npm', args, { cwd: root, encoding: 'utf8' })
  if (done.status !== 0) process.stderr.write(`npm could not install them, so they are left out:\n${done.stdout}${done.stderr}\n`)
}

/** npm writes node_modules/.package-lock.json last. */
function isInstalled(): boolean {
  const present = join(root, 'bench/node_modules/.package-lock.json')
  if (!existsSync(present)) return false
  const versions = (file: string) => {
    const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
      packages: Record<string, { version?: string; optional?: boolean }>
    }
    return packages
  }
  const there = versions(present)
  const wanted = versions(join(root, 'bench/package-lock.json'))
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || (optional && !there[path]) || there[path]?.version === version,
  )
}
