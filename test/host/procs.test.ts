// Procs for real: processes that call back, answer, stop and crash; and the built-in ones.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { shutdownHost } from '../../src/contract/host.ts'
import { applyProc, callProc, getProc, listProcs, type ProcState, stopProc } from '../../src/contract/proc.ts'
import { cancelRun, getRun } from '../../src/contract/run.ts'
import { identify } from '../../src/host/process-identity.ts'
import { eventually } from '../resources/eventually.ts'
import { makeTestHome, openTestHost, program, type TestHome, type TestHost } from './host-fixture.ts'

let home: TestHome
let box: TestHost
beforeEach(async () => {
  home = await makeTestHome()
  box = await openTestHost(home, { local: { shout: async (params) => String(params).toUpperCase() } })
})
afterEach(async () => {
  await box[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

const echo = { argv: [process.execPath, program('echo-proc.ts')] }
const apply = (proc: string, spec: { argv: string[]; readyTimeoutMs?: number }) => box.caller.call(applyProc, { proc, spec })
const call = (proc: string, method: string, params: unknown = {}) => box.caller.call(callProc, { proc, method, params })
const stateOf = (proc: string) => box.caller.call(getProc, { proc })

async function reaches(proc: string, status: ProcState['status']): Promise<ProcState> {
  return vi.waitFor(
    async () => {
      const state = await stateOf(proc)
      expect(state.status).toBe(status)
      return state
    },
    { timeout: 30_000, interval: 20 },
  )
}

describe('a proc', () => {
  test('is starting until its own call back, then running, and answers', async () => {
    expect(await apply('p', echo)).toMatchObject({ name: 'p', manager: 'process', status: 'starting', generation: 1 })
    expect(await call('p', 'echo', { a: [1, 'ü'] })).toEqual({ a: [1, 'ü'] })
    const state = await reaches('p', 'running')
    expect(await call('p', 'whoami')).toEqual({ pid: state.pid, secret: null })
  })

  test('applied again with the same spec is the same; with another, a conflict; after its end, a new one', async () => {
    await apply('p', echo)
    const first = await reaches('p', 'running')
    expect((await apply('p', echo)).pid).toBe(first.pid)
    await expect(apply('p', { argv: ['true'] })).rejects.toMatchObject({ code: 'proc.conflict' })
    await box.caller.call(stopProc, { proc: 'p' })
    expect(await apply('p', echo)).toMatchObject({ status: 'starting', generation: 2 })
    expect((await reaches('p', 'running')).pid).not.toBe(first.pid)
  })

  test('asked to stop, ends by itself', async () => {
    await apply('p', echo)
    await reaches('p', 'running')
    expect(await box.caller.call(stopProc, { proc: 'p' })).toMatchObject({ status: 'stopped', exit: { code: 0, signal: null } })
    await expect(call('p', 'echo')).rejects.toMatchObject({
      code: 'proc.ended',
      message: 'Proc p ended (exit code 0) before it answered.',
    })
    expect((await box.caller.call(listProcs, {})).procs.map((proc) => proc.name)).toEqual(['service', 'local'])
    expect((await box.caller.call(listProcs, { all: true })).procs.map((proc) => proc.name)).toContain('p')
  })

  test('that crashes ends the calls in flight at once, and its end is told with its last words', async () => {
    await apply('p', echo)
    await reaches('p', 'running')
    const hanging = expect(call('p', 'hang')).rejects.toMatchObject({ code: 'proc.ended' })
    await expect(call('p', 'crash')).rejects.toMatchObject({ code: 'proc.ended' })
    await hanging
    expect(await reaches('p', 'failed')).toMatchObject({
      exit: { code: 3, signal: null },
      stderrTail: 'echo-proc is here\nabout to crash\n',
      endedAt: expect.any(String),
    })
  })

  test('answers its own errors as they are', async () => {
    await apply('p', echo)
    await expect(call('p', 'refuse')).rejects.toMatchObject({ code: 'run.unknown' })
    await expect(call('p', 'constructor')).rejects.toMatchObject({ code: 'operation.unknown' })
  })

  test('that does not call back in time fails, and says what it wrote', async () => {
    await apply('silent', { argv: ['/bin/sh', '-c', 'echo no config >&2; exec sleep 600'], readyTimeoutMs: 300 })
    await expect(call('silent', 'echo')).rejects.toMatchObject({ code: 'proc.not_ready' })
    const state = await reaches('silent', 'failed')
    expect(state).toMatchObject({ exit: { signal: 'SIGTERM' }, stderrTail: 'no config\n' })
    expect(await identify(state.pid as number)).toBeUndefined()
    await expect(call('silent', 'echo')).rejects.toThrow('it last wrote: no config')
  })

  test('that cannot be started fails with the reason', async () => {
    await apply('nothing', { argv: ['/no/such/program'] })
    await reaches('nothing', 'failed')
    await expect(call('nothing', 'echo')).rejects.toThrow('it could not be started')
  })

  test('that never was is absent, to a stop as well', async () => {
    expect(await stateOf('ghost')).toMatchObject({ status: 'absent', generation: 0 })
    expect(await box.caller.call(stopProc, { proc: 'ghost' })).toMatchObject({ status: 'absent' })
    await expect(call('ghost', 'echo')).rejects.toMatchObject({ code: 'proc.unknown' })
  })
})

test("the built-in procs answer: service the host's own operations, local what it was given", async () => {
  expect(await call('service', 'host.info')).toMatchObject({ hostname: expect.any(String), kinds: ['command'] })
  expect(await call('local', 'shout', 'hello')).toBe('HELLO')
  await expect(call('local', 'toString')).rejects.toMatchObject({ code: 'operation.unknown' })
  await expect(apply('service', echo)).rejects.toMatchObject({ code: 'proc.conflict' })
})

test('shutting down ends the procs before it answers; runs go on, and nothing new begins', async () => {
  await box.start('goes-on', { argv: ['sleep', '600'] })
  await apply('a', echo)
  await apply('b', { argv: [program('ignore-term.sh')] })
  const pids = [
    (await reaches('a', 'running')).pid,
    await eventually(async () => {
      const { pid } = await stateOf('b')
      expect(pid).not.toBeNull()
      return pid
    }),
  ]
  expect(await box.caller.call(shutdownHost, { timeoutMs: 500, concurrency: 2 })).toEqual({ ended: 2 })
  for (const pid of pids) expect(await identify(pid as number)).toBeUndefined()
  await box.host.shutDown
  await expect(apply('c', echo)).rejects.toMatchObject({ code: 'host.stopped' })
  await expect(box.start('late', { argv: ['true'] })).rejects.toMatchObject({ code: 'host.stopped' })
  const { pid } = await box.caller.call(getRun, { run: 'goes-on' })
  expect(await identify(pid as number)).toBeDefined()
  await box.caller.call(cancelRun, { run: 'goes-on', graceMs: 0 })
  await box.ended('goes-on')
})
