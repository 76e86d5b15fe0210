// What goes on may be read and ended by every hub of a host. To feed it is to have something begun: a shell does what it is told.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { direct } from '../../src/contract/direct.ts'
import type { Principal } from '../../src/contract/implementation.ts'
import { scopes } from '../../src/contract/operation.ts'
import { applyProc, callProc, getProc, stopProc } from '../../src/contract/proc.ts'
import { cancelRun, getRun, startRun, writeStdin } from '../../src/contract/run.ts'
import { makeTestHome, openTestHost, program } from './host-fixture.ts'

const hub = (digit: string): Principal => ({ kind: 'hub', id: digit.repeat(32), role: 'hub', scopes: new Set(scopes) })
const line = (text: string): AsyncIterable<Uint8Array> => ({
  async *[Symbol.asyncIterator]() {
    yield Buffer.from(text)
  },
})
const denied = { code: 'policy.denied' }

test('a hub to which a host exposes nothing tells no run and no proc of another hub what to do', async () => {
  await using home = await makeTestHome()
  const dir = await mkdtemp(join(tmpdir(), 'muster-feeding-'))
  try {
    const file = join(dir, 'policy.toml')
    const own = (command: string) => `[[rule]]\neffect = "allow"\ncommand = "${command}"\nto = "${'a'.repeat(32)}"\n`
    await writeFile(file, own('runs') + own('procs'), { mode: 0o600 })
    await using box = await openTestHost(home, { policy: { allow: [], file } })
    const [its, other] = [direct(box.host.offers, hub('a')), direct(box.host.offers, hub('b'))]

    await its.call(startRun, { run: 'shell', spec: { kind: 'command', argv: ['/bin/sh'], stdin: 'open' } })
    await its.call(applyProc, { proc: 'echo', spec: { argv: [process.execPath, program('echo-proc.ts')] } })
    const echoed = () => its.call(callProc, { proc: 'echo', method: 'echo', params: 'a' })
    await vi.waitFor(async () => expect(await echoed()).toBeDefined(), { timeout: 30_000, interval: 50 })

    await expect(other.upload(writeStdin, { run: 'shell' }, line('touch forged\n'))).rejects.toMatchObject(denied)
    await expect(other.call(callProc, { proc: 'echo', method: 'echo', params: 'b' })).rejects.toMatchObject(denied)
    await expect(other.call(callProc, { proc: 'local', method: 'anything', params: {} })).rejects.toMatchObject(denied)
    expect(await its.upload(writeStdin, { run: 'shell', end: false }, line('true\n'))).toEqual({ written: 5 })

    // Narrowed meanwhile: it can be looked at and ended, and be told nothing more.
    await writeFile(file, '# nothing\n')
    await expect(its.upload(writeStdin, { run: 'shell', offset: 5 }, line('x'))).rejects.toMatchObject(denied)
    await expect(echoed()).rejects.toMatchObject(denied)
    expect(await its.call(getRun, { run: 'shell' })).toMatchObject({ state: 'running' })
    expect(await other.call(getProc, { proc: 'echo' })).toMatchObject({ status: 'running' })
    await its.call(cancelRun, { run: 'shell' })
    await its.call(stopProc, { proc: 'echo' })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
