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

/** What a shell script writes; `more` are its arguments. */
function inShell(script: string, more: readonly string[], env: Record<string, string> = {}, before: readonly string[] = []) {
  const own = { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: join(home, 'run'), ...env }
  const [program = '', ...args] = [...before, 'sh', '-euc', script, 'sh', process.execPath, ...more]
  const ended = spawnSync(program, args, { env: own, encoding: 'utf8', timeout: 60_000 })
  expect(ended, ended.stderr).toMatchObject({ status: 0 })
  return ended
}

/** The same in a session without a desktop. */
function inSession(script: string, more: readonly string[], env: Record<string, string> = {}): string {
  return inShell(script, more, env, ['dbus-run-session', '--']).stdout.trim()
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
  expect(said).not.toContain('still in the keychain')
  // Both folders are empty.
  expect(said).toMatch(/hub\/secrets:\n+[^\n]*\/hosts:$|hosts:\n+[^\n]*\/hub\/secrets:$/)
})

test.skipIf(!hasKeyring)(
  'a keychain that is gone at the next start is the reason of its hosts, and what is left there is said',
  () => {
    const muster = join(import.meta.dirname, '..', '..', 'bin', 'muster.js')
    const env = { MUSTER_HOME: join(home, 'muster') }
    const start = '"$@" hub start --bind 127.0.0.1:0 >&2'
    const stop = '"$@" hub stop >&2'
    const added = inSession([unlock, start, ...['one', 'two'].map((name) => addTo(name)), stop].join('\n'), [muster], env)
    expect(added).toBe('')
    // A bus at which nothing listens: no session, as for a hub that is started by cron.
    const without = { ...env, DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(home, 'no-bus')}` }
    const script = [
      start,
      'until "$@" host show one | grep -q "^why: .*keychain"; do sleep 0.1; done',
      '"$@" host show one',
      '"$@" exec one -- true || echo "exit $?"',
      '"$@" host remove one',
      stop,
    ].join('\n')
    const said = inShell(script, [muster], without)
    expect(said.stdout).toMatch(/^secret: +keychain$/m)
    expect(said.stdout).toMatch(/^why: .*in the system's keychain, which cannot be read: .*Unlock the keychain of the account/m)
    expect(said.stdout).toMatch(/^exit 255$/m)
    expect(said.stderr).toMatch(/Its token is still in the keychain, .*delete the entry host_\w+ of the service muster/)
    // Unlocked again, the other's token is read: what is wrong now is that nothing listens at its address.
    const back = inSession(
      [unlock, start, 'until "$@" host show two | grep -q "^why: .*nothing listens"; do sleep 0.1; done', stop, 'echo read'].join(
        '\n',
      ),
      [muster],
      env,
    )
    expect(back).toBe('read')
  },
)

function addTo(name: string): string {
  return `printf mtok_in-the-keychain | "$@" host add ${name} --url http://127.0.0.1:1 --token-stdin --no-probe >&2`
}
