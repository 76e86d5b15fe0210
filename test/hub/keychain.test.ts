// The real keychain of a desktop session, gnome-keyring, on a session bus of the test's own.

import { spawnSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import { type Home, makeHome } from '../resources/home.ts'

const program = join(import.meta.dirname, '..', 'programs', 'keychain.ts')
const hasKeyring = hasProgram('dbus-run-session') && hasProgram('gnome-keyring-daemon')

let its: Home
let home = ''
beforeEach(async () => {
  its = await makeHome()
  home = its.path
  await mkdir(join(home, 'run'), { mode: 0o700 })
})
afterEach(() => its[Symbol.asyncDispose]())

/** What a shell script writes in a session without a desktop; `more` are its arguments. */
function inSession(script: string, more: readonly string[], env: Record<string, string> = {}): string {
  const own = { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: join(home, 'run'), ...env }
  const args = ['--', 'sh', '-euc', script, 'sh', process.execPath, ...more]
  const ended = spawnSync('dbus-run-session', args, { env: own, encoding: 'utf8', timeout: 60_000 })
  expect(ended, ended.stderr).toMatchObject({ status: 0 })
  return ended.stdout.trim()
}

// The daemon goes to the background by itself, and ends with its bus.
const unlock = "printf '\\n' | gnome-keyring-daemon --unlock --components=secrets >&2"

test.skipIf(!hasKeyring)('an unlocked keychain holds the secret until the host is removed', () => {
  const said = inSession(`${unlock}; "$@"`, [program, join(home, 'secrets'), 'the secret'])
  expect(JSON.parse(said)).toEqual({ saved: 'keychain', read: true, inKeychain: true, left: 'nothing', holder: 'none' })
})

test.skipIf(!hasKeyring)('a keychain that nobody has unlocked leaves it to the file', () => {
  const locked = 'gnome-keyring-daemon --start --components=secrets >&2; "$@"'
  const said = inSession(locked, [program, join(home, 'secrets'), 'the secret'])
  expect(JSON.parse(said)).toMatchObject({ saved: 'file', read: true, inKeychain: false, holder: 'none' })
})

test.skipIf(!hasKeyring)('a hub in such a session says so, and no file of its home has the token', () => {
  const muster = join(import.meta.dirname, '..', '..', 'bin', 'muster.js')
  const script = [
    unlock,
    '"$@" hub start --bind 127.0.0.1:0 >&2',
    'printf mtok_only-in-the-keychain | "$@" host add box --url http://127.0.0.1:1 --token-stdin --no-probe >&2',
    '"$@" host show box',
    'grep -rl mtok_only-in-the-keychain "$MUSTER_HOME" || echo in no file',
    '"$@" host remove box >&2',
    '"$@" hub stop >&2',
    'ls "$MUSTER_HOME/hub/secrets" "$MUSTER_HOME/hosts"',
  ]
  const said = inSession(script.join('\n'), [muster], { MUSTER_HOME: join(home, 'muster') })
  expect(said).toMatch(/^secret: +keychain$/m)
  expect(said).toMatch(/^in no file$/m)
  // Both folders are empty.
  expect(said).toMatch(/hub\/secrets:\n+[^\n]*\/hosts:$|hosts:\n+[^\n]*\/hub\/secrets:$/)
})
