// Commands, run for real: exit codes, streams, directories, environment.

import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { followEvents } from '../../src/contract/event.ts'
import { followLog, type LogChunk } from '../../src/contract/output.ts'
import { getRun, listRuns, startRun } from '../../src/contract/run.ts'
import { makeTestHome, openTestHost, program, type TestHome, type TestHost } from './host-fixture.ts'

let home: TestHome
let box: TestHost
beforeAll(async () => {
  home = await makeTestHome()
  box = await openTestHost(home)
})
afterAll(async () => {
  await box[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

const sh = (line: string) => ['/bin/sh', '-c', line]

describe('how a command ends', () => {
  test('code 0 succeeded, with its sizes and its pid', async () => {
    await box.start('ok', { argv: ['/bin/echo', 'hello'] })
    expect(await box.ended('ok')).toMatchObject({
      state: 'succeeded',
      exit: { code: 0, signal: null },
      error: null,
      output: { stdout: 6, stderr: 0 },
      pid: expect.any(Number),
    })
  })

  test.each([[1], [3], [255]])('code %i failed', async (code) => {
    await box.start(`code-${code}`, { argv: sh(`exit ${code}`) })
    expect(await box.ended(`code-${code}`)).toMatchObject({ state: 'failed', exit: { code, signal: null }, error: null })
  })

  test('a signal failed, and is named', async () => {
    await box.start('signal', { argv: sh('kill -SEGV $$') })
    expect(await box.ended('signal')).toMatchObject({ state: 'failed', exit: { code: null, signal: 'SIGSEGV' } })
  })

  test('its events are numbered without gaps, from accepted to its end', async () => {
    await box.start('events', { argv: ['true'] })
    const events = []
    for await (const event of box.caller.items(followEvents, { run: 'events', follow: true })) events.push(event)
    expect(events).toMatchObject([
      { seq: 1, type: 'accepted' },
      { seq: 2, type: 'state', state: 'running' },
      { seq: 3, type: 'state', state: 'succeeded' },
    ])
  })
})

describe('what cannot be started', () => {
  test.each([
    [
      'no such program',
      { argv: ['no-such-program-here'] },
      'no-such-program-here could not be started: no such program is in PATH.',
    ],
    [
      'no such file',
      { argv: ['/no/such/file'] },
      '/no/such/file could not be started: there is no such file, or the interpreter that it names does not exist.',
    ],
    [
      'no such directory',
      { argv: ['true'], cwd: '/no/such/place' },
      'true could not be started: the working directory /no/such/place does not exist.',
    ],
    [
      'a file as directory',
      { argv: ['true'], cwd: '/etc/passwd' },
      'true could not be started: the working directory /etc/passwd is not a directory.',
    ],
    [
      'not executable',
      { argv: ['/etc/passwd'] },
      '/etc/passwd could not be started: this account may not run it, or may not enter the working directory.',
    ],
  ])('%s is said in a sentence', async (name, spec, message) => {
    const run = `unstarted-${name.replaceAll(' ', '-')}`
    await box.start(run, spec)
    expect(await box.ended(run)).toMatchObject({
      state: 'failed',
      exit: null,
      pid: null,
      error: { code: 'run.spawn_failed', message },
    })
  })

  test('arguments longer than the system takes', async () => {
    await box.start('too-long', { argv: ['true', ...Array.from({ length: 60 }, () => 'x'.repeat(100_000))] })
    expect(await box.ended('too-long')).toMatchObject({ error: { code: 'run.spawn_failed' } })
  })
})

describe('where a command runs', () => {
  test('arguments reach it as they are, read by no shell', async () => {
    const args = ['$HOME', '`id`', 'a b', '', '*', '\'"\\', 'ünï\n']
    await box.start('argv', { argv: ['printf', '%s|', ...args] })
    expect((await box.output('argv')).toString()).toBe(args.map((arg) => `${arg}|`).join(''))
  })

  test("in the account's home, or in the directory that was given", async () => {
    const dir = await realpath(await mkdtemp(join(tmpdir(), 'muster-cwd-')))
    await box.start('cwd-home', { argv: ['pwd', '-P'] })
    await box.start('cwd-given', { argv: ['pwd', '-P'], cwd: dir })
    expect((await box.output('cwd-home')).toString()).toBe(`${await realpath(homedir())}\n`)
    expect((await box.output('cwd-given')).toString()).toBe(`${dir}\n`)
    await rm(dir, { recursive: true })
  })

  test("with the few variables that are on the list, those given, and who it is; no secret of the node's", async () => {
    process.env.MUSTER_TEST_SECRET = 's3cret'
    await box.start('env', { argv: ['env'], env: { GIVEN: 'yes' } })
    delete process.env.MUSTER_TEST_SECRET
    const env = (await box.output('env')).toString()
    expect(env).toContain('GIVEN=yes\n')
    expect(env).toContain('MUSTER_RUN=env\n')
    expect(env).toContain('MUSTER_HOST=box\n')
    expect(env).toContain(`PATH=${process.env.PATH}\n`)
    expect(env).not.toContain('s3cret')
    expect(env).not.toContain('VITEST')
  })

  test('in a session and a group of its own', async () => {
    await box.start('group', { argv: sh('echo $$; ps -o pgid=,sid= -p $$') })
    const [pid, ...rest] = (await box.output('group')).toString().trim().split(/\s+/)
    expect(rest).toEqual([pid, pid])
  })
})

describe('output', () => {
  test('10 MB of binary come back byte for byte', async () => {
    await box.start('binary', { argv: sh('head -c 10000000 /dev/urandom | tee /dev/stderr') })
    const [stdout, stderr] = await Promise.all([box.output('binary'), box.output('binary', 'stderr')])
    expect(stdout.length).toBe(10_000_000)
    expect(stdout.equals(stderr)).toBe(true)
    expect(await box.ended('binary')).toMatchObject({ output: { stdout: 10_000_000, stderr: 10_000_000 } })
  })

  test('both streams come in the order they were written', async () => {
    await box.start('both', { argv: [program('both-streams.sh')] })
    const chunks: LogChunk[] = []
    for await (const chunk of box.caller.items(followLog, { run: 'both', follow: true })) chunks.push(chunk)
    const text = chunks.map((chunk) => chunk.text).join('')
    expect(text).toBe([1, 2, 3, 4, 5].map((i) => `out ${i}\nerr ${i}\n`).join(''))
    expect(chunks.map((chunk) => chunk.chunk)).toEqual(chunks.map((_, index) => index + 1))
  })

  test('bytes that are not text come as base64', async () => {
    await box.start('not-text', { argv: ['printf', '\\377\\376'] })
    await box.ended('not-text')
    const chunks: LogChunk[] = []
    for await (const chunk of box.caller.items(followLog, { run: 'not-text' })) chunks.push(chunk)
    expect(chunks).toMatchObject([{ base64: Buffer.from([0xff, 0xfe]).toString('base64') }])
    expect(chunks[0]?.text).toBeUndefined()
  })

  test('is live: a line is seen while the command still runs', async () => {
    await box.start('live', { argv: sh('echo first; read x; echo last'), stdin: 'open' })
    for await (const chunk of box.caller.items(followLog, { run: 'live', follow: true })) {
      expect(chunk.text).toBe('first\n')
      break
    }
    expect((await box.caller.call(getRun, { run: 'live' })).endedAt).toBeNull()
  })
})

describe('starting', () => {
  test('is idempotent by id and spec; another spec is a conflict', async () => {
    const marker = join(home.dir, 'starts')
    const spec = { argv: sh(`echo started >> ${marker}; cat ${marker}`) }
    await Promise.all([1, 2, 3, 4].map(() => box.start('once', spec)))
    await box.ended('once')
    expect(await box.start('once', spec)).toMatchObject({ state: 'succeeded' })
    expect((await box.output('once')).toString()).toBe('started\n')
    await expect(box.start('once', { argv: ['false'] })).rejects.toMatchObject({ code: 'run.conflict' })
  })

  test('a kind that nobody here carries is refused and leaves nothing', async () => {
    const spec = { kind: 'workflow' as const, file: 'x.yaml', source: '' }
    await expect(box.caller.call(startRun, { run: 'flow', spec })).rejects.toMatchObject({ code: 'run.kind_unsupported' })
    await expect(box.caller.call(getRun, { run: 'flow' })).rejects.toMatchObject({ code: 'run.unknown' })
  })

  test('a hundred at once all end right, and are listed', async () => {
    const ids = Array.from({ length: 100 }, (_, i) => `many-${i}`)
    await Promise.all(ids.map((id, i) => box.start(id, { argv: sh(`echo ${i}; exit ${i % 3}`) })))
    const ends = await Promise.all(ids.map((id) => box.ended(id)))
    expect(ends.map((run) => run.exit?.code)).toEqual(ids.map((_, i) => i % 3))
    const { runs } = await box.caller.call(listRuns, { limit: 1000 })
    expect(runs.filter((run) => run.id.startsWith('many-'))).toHaveLength(100)
  })
})
