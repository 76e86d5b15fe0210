// Somebody can write into the bucket and has no key. Each thing they try is listed; none starts, ends or fakes anything.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { monotonicFactory } from 'ulidx'
import { expect, test } from 'vitest'
import { seal } from '../../../src/connectors/bucket/envelope.ts'
import { introduce, parseJoinToken } from '../../../src/connectors/bucket/join-token.ts'
import { askKey, beatKey, claimKey, doneKey, jobKey, segmentKey } from '../../../src/connectors/bucket/keys.ts'
import { listApprovals } from '../../../src/contract/approval.ts'
import { failure } from '../../../src/contract/errors.ts'
import { submitRun } from '../../../src/contract/fleet.ts'
import { addHost, showHost } from '../../../src/contract/host.ts'
import { getRun, listRuns, pauseRun, resumeRun } from '../../../src/contract/run.ts'
import { type Identity, loadIdentity, temporaryIdentity } from '../../../src/wire/identity.ts'
import { makeHome, until } from '../../resources/muster.ts'
import { askingPeople, mayAsk } from './asking.ts'
import { hostName, openBucketHub } from './fixture.ts'

const tomorrow = () => Date.now() + 3600_000

test('who may write objects and has no key achieves nothing', { timeout: 180_000 }, async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  const marks = join(box.path, 'marks')
  await mkdir(marks)
  const mark = (name: string) => ['/bin/sh', '-c', `echo x >> ${marks}/${name}`]
  const forger = temporaryIdentity()
  const place = (key: string) => ({ host: bucket.hostId, key })
  const forge = (key: string, message: unknown, body: Uint8Array[] = []) => seal(place(key), { identity: forger }, message, body)
  const fileOf = (key: string) => join(bucket.dir, key)
  const put = async (key: string, bytes: string | Uint8Array) => {
    await mkdir(dirname(fileOf(key)), { recursive: true })
    await writeFile(`${fileOf(key)}.new`, bytes)
    await rename(`${fileOf(key)}.new`, fileOf(key))
  }
  const job = (run: string, validUntil = tomorrow()) => ({
    type: 'job',
    run,
    input: { run, spec: { kind: 'command', argv: mark(run) } },
    validUntil,
  })
  const tried: string[] = []
  const tries = async (what: string, work: () => Promise<unknown>) => {
    await work()
    tried.push(what)
  }

  const honest = await bucket.submit(mark('honest'))
  const ofHonest = await until('its job lies there', () => readFile(fileOf(jobKey(honest.id))).catch(() => undefined))

  await tries('a job of their own', () => put(jobKey('own'), forge(jobKey('own'), job('own'))))
  await tries("a job in the hub's name", () =>
    put(jobKey('named'), forge(jobKey('named'), job('named')).toString().replace(forger.publicKey, hubKeyOf(ofHonest))),
  )
  await tries('an altered job', () =>
    put(jobKey('altered'), ofHonest.toString().replaceAll(honest.id, 'altered').replace('marks/honest', 'marks/altered')),
  )
  await tries("a job moved to another run's name", () => put(jobKey('moved'), ofHonest))
  await tries('a job that the hub has signed for another of its hosts', async () => {
    const elsewhere = join(box.path, 'elsewhere')
    await mkdir(elsewhere)
    const connector = { kind: 'bucket', bucket: pathToFileURL(elsewhere).href }
    await bucket.hub.own.hub.call(addHost, { name: 'another', connector, probe: false })
    const spec = { kind: 'command' as const, argv: mark('another') }
    const { id } = await bucket.hub.client.hub.call(submitRun, { host: 'another', spec, queue: true })
    const ofAnother = await until('its job lies there', () => readFile(join(elsewhere, jobKey(id))).catch(() => undefined))
    await put(jobKey(id), ofAnother)
  })
  const hub = await loadIdentity(join(bucket.hub.home, 'hub', 'key'))
  const signed = (key: string, message: unknown) => seal(place(key), { identity: hub }, message)
  await tries('a job that the hub has signed long ago', () =>
    put(jobKey('stale'), signed(jobKey('stale'), job('stale', Date.now() - 1_000))),
  )
  await tries('a job that says to be good for ever', () =>
    put(jobKey('endless'), signed(jobKey('endless'), job('endless', Date.now() + 365 * 24 * 3600_000))),
  )
  await tries('a job whose input is of another run', () =>
    put(jobKey('outer'), signed(jobKey('outer'), { ...job('inner'), run: 'outer' })),
  )
  await tries('a job without a signature', () => put(jobKey('bare'), JSON.stringify(job('bare'))))
  await tries('a job that is no text', () => put(jobKey('binary'), Buffer.alloc(1000, 255)))
  await tries('a giant job', () => put(jobKey('giant'), Buffer.alloc(64 * 1024 * 1024, '{')))
  await tries('names that lead elsewhere', async () => {
    for (const name of ['..a', '.hidden', '-rf', 'a b', 'a\nb', 'a;touch x', '~', 'ü'.repeat(80)])
      await put(`q/job/${name}`, forge(`q/job/${name}`, job(name)))
  })
  await tries('a pipe and a link instead of a job', async () => {
    execFileSync('mkfifo', [fileOf(jobKey('pipe'))])
    await symlink(fileOf(jobKey(honest.id)), fileOf(jobKey('link')))
  })
  await tries('a claim that keeps others away', () =>
    put(
      claimKey(honest.id, 1),
      forge(claimKey(honest.id, 1), {
        type: 'claim',
        run: honest.id,
        fence: 1,
        nonce: '0',
        renewal: 0,
        leaseMs: 3_000_000,
        ended: false,
        asked: [],
      }),
    ),
  )
  await tries('a list that calls all over', () =>
    put(doneKey, forge(doneKey, { type: 'done', version: 99, runs: { [honest.id]: tomorrow() } })),
  )

  const worker = bucket.worker(box.path)
  const ended = await bucket.endOf(honest.id)
  expect(ended).toMatchObject({ state: 'succeeded' })
  const workerId = (await readdir(join(bucket.dir, 'up')))[0] as string
  await until('its objects are deleted', async () => ((await readdir(fileOf('q/job'))).includes(honest.id) ? undefined : true))

  const long = await bucket.submit([
    '/bin/sh',
    '-c',
    `while [ ! -e ${marks}/go ]; do rm ${marks}/tick && echo tick; sleep 0.1; done 2>/dev/null; echo to the end`,
  ])
  await until('it runs', async () => {
    const { state } = await bucket.hub.client.host(hostName).call(getRun, { run: long.id })
    return state === 'running' ? true : undefined
  })
  const id = '01M7YZJS43XX2ZEKE2N7SMDY0R'
  const cancel = {
    type: 'ask',
    run: long.id,
    operation: 'run.cancel',
    input: { run: long.id, graceMs: 0 },
    validUntil: tomorrow(),
  }
  const asked = bucket.hub.client.host(hostName)
  const claim = await readFile(fileOf(claimKey(long.id, 1)))
  await tries('a pause that the hub had asked for, put back', async () => {
    worker.child.kill('SIGSTOP')
    const paused = asked.call(pauseRun, { run: long.id })
    const lying = () => readdir(fileOf('q/ask')).catch(() => [])
    const key = await until('the ask lies there', async () =>
      (await lying())[0] ? askKey((await lying())[0] as string) : undefined,
    )
    const bytes = await readFile(fileOf(key))
    worker.child.kill('SIGCONT')
    await paused
    await asked.call(resumeRun, { run: long.id })
    await put(key, bytes)
  })
  await tries('a segment that was read, put back as it was, under the next number, and with another body', async () => {
    process.kill(bucket.hub.process.pid, 'SIGSTOP')
    await writeFile(join(marks, 'tick'), '')
    const told = async () => (await readdir(fileOf(`up/${workerId}`))).filter((name) => name !== 'beat').at(-1)
    const number = Number(await until('it is told', told))
    const bytes = await readFile(fileOf(segmentKey(workerId, number)))
    process.kill(bucket.hub.process.pid, 'SIGCONT')
    await until('it is read', async () => ((await told()) === undefined ? true : undefined))
    await put(segmentKey(workerId, number), bytes)
    await put(segmentKey(workerId, number + 1), bytes)
    await put(segmentKey(workerId, number + 2), bytes.toString('latin1').replace('tick', 'tock'))
  })
  await tries('an older state of a claim, put back', () => put(claimKey(long.id, 1), claim))
  await tries('a cancel of their own', () => put(askKey(id), forge(askKey(id), cancel)))
  await tries('a job that is over, put back', () => put(jobKey(honest.id), ofHonest))
  await tries('the end of a run, told by nobody', async () => {
    const told = {
      type: 'segment',
      number: 1,
      events: [{ run: long.id, fence: 9, event: { type: 'state', state: 'succeeded', seq: 3, at: new Date().toISOString() } }],
      outputs: [{ run: long.id, fence: 9, after: 0, chunks: 0, bytes: 0, whole: true }],
      answers: [{ to: jobKey('x'), value: 1 }],
      told: {},
    }
    const theirs = createHash('sha256').update(Buffer.from(forger.publicKey, 'base64url')).digest('hex').slice(0, 32)
    await put(segmentKey(theirs, 1), forge(segmentKey(theirs, 1), told))
    for (let number = 1; number < 40; number++)
      await put(segmentKey(workerId, number + 100), forge(segmentKey(workerId, number + 100), { ...told, number: number + 100 }))
    await put(beatKey(theirs), forge(beatKey(theirs), { type: 'beat', count: 1, everyMs: 1e9, leaving: false, info: {} }))
  })
  await tries('a giant segment', () => put(segmentKey('0'.repeat(32), 1), Buffer.alloc(64 * 1024 * 1024)))
  await tries('a claim of theirs over a live one', () =>
    put(
      claimKey(long.id, 2),
      forge(claimKey(long.id, 2), {
        type: 'claim',
        run: long.id,
        fence: 2,
        nonce: '0',
        renewal: 0,
        leaseMs: 3_000,
        ended: false,
        asked: [],
      }),
    ),
  )
  const beat = await readFile(fileOf(beatKey(workerId)))

  // Two more rounds of honest work: by then all of that was looked at.
  for (const name of ['second', 'third']) {
    expect(await bucket.endOf((await bucket.submit(mark(name))).id)).toMatchObject({ state: 'succeeded' })
  }
  await writeFile(join(marks, 'go'), '')
  expect(await bucket.endOf(long.id)).toMatchObject({ state: 'succeeded' })
  expect(await bucket.output(long.id)).toBe('tick\nto the end\n')

  await using fresh = await makeHome()
  const newcomer = bucket.worker(fresh.path)
  await until('a worker that knows nothing looks', async () => (newcomer.log().includes('Looking') ? true : undefined), newcomer)
  await put(jobKey(honest.id), ofHonest)
  expect(await bucket.endOf((await bucket.submit(mark('fourth'))).id)).toMatchObject({ state: 'succeeded' })
  tried.push('a job that is over, put before a worker that has never seen it')

  await newcomer.kill()
  await rm(fileOf(doneKey))
  await put(jobKey(honest.id), ofHonest)
  const again = bucket.worker(fresh.path)
  await until('it looks again', async () => (again.log().includes('Looking') ? true : undefined), again)
  await put(doneKey, signed(doneKey, { type: 'done', version: 1, runs: {} }))
  await put(jobKey(honest.id), ofHonest)
  expect(await bucket.endOf((await bucket.submit(mark('fifth'))).id)).toMatchObject({ state: 'succeeded' })
  tried.push('a job that is over, before a worker that starts anew, the list of what is over deleted, or an old one put back')

  await worker.kill()
  await again.kill()
  await until('the host is away', async () => {
    const { status } = await bucket.hub.own.hub.call(showHost, { host: hostName })
    return status === 'offline' ? true : undefined
  })
  await tries('an old sign of life', () => put(beatKey(workerId), Buffer.concat([beat])))
  const left = (await readdir(fileOf(`up/${workerId}`))).length
  // What is behind the worker's newest segment is deleted at the hub's next look, and was looked at with the rest.
  for (let look = 0; look < 2; look++) {
    await put(segmentKey(workerId, 1), 'old')
    await until('the hub has looked', async () => ((await readdir(fileOf(`up/${workerId}`))).length === left ? true : undefined))
  }
  expect((await bucket.hub.own.hub.call(showHost, { host: hostName })).status).toBe('offline')

  const { runs } = await bucket.hub.client.host(hostName).call(listRuns, {})
  expect(runs.map(({ state }) => state)).toEqual(Array.from({ length: 6 }, () => 'succeeded'))
  expect((await readdir(marks)).sort()).toEqual(['fifth', 'fourth', 'go', 'honest', 'second', 'third'])
  expect(await readFile(join(marks, 'honest'), 'utf8')).toBe('x\n')
  console.log(`a forger tried, in vain: ${tried.join('; ')}`)
})

test('a worker that was let in tells nothing of what another one carries', { timeout: 120_000 }, async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  bucket.worker(box.path)
  const go = join(box.path, 'go')
  const long = await bucket.submit(['/bin/sh', '-c', `while [ ! -e ${go} ]; do sleep 0.1; done; echo to the end`])
  const asked = bucket.hub.client.host(hostName)
  await until('it runs', async () => ((await asked.call(getRun, { run: long.id })).state === 'running' ? true : undefined))

  const identity = temporaryIdentity()
  const { introduction } = introduce(parseJoinToken(bucket.token), identity.publicKey)
  const put = async (key: string, message: unknown) => {
    const file = join(bucket.dir, key)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(`${file}.new`, seal({ host: bucket.hostId, key }, { identity, introduction }, message))
    await rename(`${file}.new`, file)
  }
  const tell = async (number: number, fence: number) => {
    const at = new Date().toISOString()
    const key = segmentKey(identity.fingerprint, number)
    const message = {
      type: 'segment',
      number,
      events: [
        { run: long.id, fence, event: { type: 'accepted', seq: 1, at, kind: 'command', title: 'theirs', parent: null } },
        { run: long.id, fence, event: { type: 'state', seq: 2, at, state: 'failed' } },
      ],
      outputs: [{ run: long.id, fence, after: 0, chunks: 0, bytes: 0, whole: true }],
      answers: [{ to: jobKey(long.id), error: failure('run.unknown', { run: long.id }).toValue() }],
      told: {},
    }
    await put(key, message)
    await until('the hub has read it', async () =>
      (await readdir(join(bucket.dir, dirname(key)))).includes(basename(key)) ? undefined : true,
    )
  }
  // Under the claim of the other, under its own in the place of that, and under one that nobody has made.
  await tell(1, 1)
  const theirs = { type: 'claim', run: long.id, fence: 1, nonce: '0', renewal: 0, leaseMs: 60_000, ended: false, asked: [] }
  await put(claimKey(long.id, 1), theirs)
  await tell(2, 1)
  await tell(3, 9)
  expect(await asked.call(getRun, { run: long.id })).toMatchObject({ state: 'running' })
  await writeFile(go, '')
  expect(await bucket.endOf(long.id)).toMatchObject({ state: 'succeeded' })
  expect(await bucket.output(long.id)).toBe('to the end\n')
})

test('who may write objects and has no key answers nothing that a host asks, and has nothing run again', {
  timeout: 180_000,
}, async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  const people = askingPeople(bucket, box.path)
  const worker = bucket.worker(box.path, mayAsk)
  const fileOf = (key: string) => join(bucket.dir, key)
  const put = async (key: string, bytes: string | Uint8Array) => {
    await writeFile(`${fileOf(key)}.new`, bytes)
    await rename(`${fileOf(key)}.new`, fileOf(key))
  }
  const honest = async () => expect(await bucket.endOf((await bucket.submit(['true'])).id)).toMatchObject({ state: 'succeeded' })
  await honest()
  const workerId = (await readdir(join(bucket.dir, 'up')))[0] as string

  /** What the hub asks meanwhile, as it lies in the bucket. */
  async function capture<T>(asking: () => Promise<T>): Promise<{ key: string; bytes: Buffer; answer: Promise<T> }> {
    worker.child.kill('SIGSTOP')
    const answer = asking()
    const id = await until('it lies there', async () => (await readdir(fileOf('q/ask')).catch(() => []))[0])
    const bytes = await readFile(fileOf(askKey(id)))
    worker.child.kill('SIGCONT')
    return { key: askKey(id), bytes, answer }
  }
  const invocation = await capture(() => people.invoke('over'))
  const over = await people.question('over')
  const answer = await capture(() => people.approve(over))
  await answer.answer
  expect(await invocation.answer).toMatchObject({ code: 0 })

  const outcome = people.invoke('waiting')
  const waiting = await people.question('waiting')
  const forger = temporaryIdentity()
  const ids = monotonicFactory()
  const resolving = (validUntil = tomorrow()) => {
    const id = ids()
    const input = { approval: waiting.id, digest: waiting.digest, outcome: 'approved', by: 'local-socket' }
    return {
      key: askKey(id),
      message: { type: 'ask', run: id, operation: 'approval.resolve', input, worker: workerId, validUntil },
    }
  }
  const sealed = ({ key, message }: ReturnType<typeof resolving>, by: Identity, host = bucket.hostId) =>
    put(key, seal({ host, key }, { identity: by }, message))
  const hub = await loadIdentity(join(bucket.hub.home, 'hub', 'key'))
  const told = (number: number) => {
    const at = new Date().toISOString()
    const { host: _host, hostId: _id, ...approval } = waiting
    const change = {
      position: 9,
      remainingMs: 0,
      approval: { ...approval, state: 'denied', resolution: { at, by: null, reason: null } },
    }
    return { type: 'segment', number, events: [], outputs: [], answers: [], told: {}, approvals: [change] }
  }
  const tried: Record<string, () => Promise<unknown>> = {
    'an answer of their own': () => sealed(resolving(), forger),
    "an answer in the hub's name": async () => {
      const one = resolving()
      const bytes = seal({ host: bucket.hostId, key: one.key }, { identity: forger }, one.message)
      await put(one.key, bytes.toString().replace(forger.publicKey, hub.publicKey))
    },
    "an answer with the worker's own key": async () => sealed(resolving(), await loadIdentity(join(box.path, 'node', 'key'))),
    'an answer that the hub has signed for another of its hosts': () =>
      sealed(resolving(), hub, 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV'),
    'an answer that the hub has signed long ago': () => sealed(resolving(Date.now() - 1_000), hub),
    'the answer to another question, under a new name': () => put(askKey(ids()), answer.bytes),
    'the answer to another question, made one to this': () =>
      put(answer.key, answer.bytes.toString().replaceAll(over.id, waiting.id).replaceAll(over.digest, waiting.digest)).then(
        honest,
      ),
    'an answer that was given, put back': () => put(answer.key, answer.bytes),
    'an invocation that is over, put back': () => put(invocation.key, invocation.bytes),
    'the end of the question, told by nobody': async () => {
      const next = Math.max(0, ...(await readdir(fileOf(`up/${workerId}`))).filter((name) => name !== 'beat').map(Number)) + 1
      for (let number = next; number < next + 40; number++) {
        const key = segmentKey(workerId, number + 1)
        await put(key, seal({ host: bucket.hostId, key }, { identity: forger }, told(number + 1)))
      }
    },
  }
  for (const attempt of Object.values(tried)) await attempt()
  // By then all of that was looked at.
  await honest()
  await honest()
  expect(await people.now(waiting)).toMatchObject({ state: 'pending' })
  expect(await people.ran('waiting')).toBe(0)
  await people.deny(waiting)
  expect(await outcome).toMatchObject({ code: 'approval.denied' })
  await honest()
  expect([await people.ran('waiting'), await people.ran('over')]).toEqual([0, 1])
  const { approvals } = await bucket.hub.client.hub.call(listApprovals, { all: true })
  expect(approvals.map(({ id, state }) => [id, state])).toEqual([
    [waiting.id, 'denied'],
    [over.id, 'approved'],
  ])
  console.log(`a forger of answers tried, in vain: ${Object.keys(tried).join('; ')}`)
})

/** As anybody can read it. */
function hubKeyOf(job: Buffer): string {
  return (JSON.parse(job.toString().split('\n')[0] as string) as { by: string }).by
}
