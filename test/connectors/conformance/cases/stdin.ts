// Standard input: bytes from an offset on, each once, whatever is repeated.

import { createHash, randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { cancelRun, writeStdin } from '../../../../src/contract/run.ts'
import type { CaseGroup } from '../case.ts'
import type { Subject } from '../subject.ts'

async function* once(bytes: Uint8Array | string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(bytes)
}

function write({ asked }: Subject, run: string, bytes: Uint8Array | string, { offset = 0, end = true } = {}): Promise<number> {
  return asked.upload(writeStdin, { run, offset, end }, once(bytes)).then(({ written }) => written)
}

/** A command that reads its input to the end, running. */
async function reading(subject: Subject, line = 'cat'): Promise<string> {
  const { id } = await subject.shell(line, { stdin: 'open' })
  await subject.reaches(id, 'running')
  return id
}

async function readBy(subject: Subject, run: string): Promise<Buffer> {
  await subject.ends(run)
  return subject.bytes(run)
}

export const stdin: CaseGroup = {
  title: 'standard input',
  how: 'together',
  cases: [
    {
      name: 'a command without any reads the end at once',
      async check({ outcome }) {
        expect((await outcome('cat; echo over')).stdout).toBe('over\n')
      },
    },
    {
      name: 'what is sent is read, and its end too',
      async check(subject) {
        const run = await reading(subject)
        expect(await write(subject, run, 'hello\n')).toBe(6)
        expect((await readBy(subject, run)).toString()).toBe('hello\n')
      },
    },
    {
      name: 'it may be sent before the command has begun',
      async check(subject) {
        const { id } = await subject.shell('cat', { stdin: 'open' })
        await write(subject, id, 'early\n')
        expect((await readBy(subject, id)).toString()).toBe('early\n')
      },
    },
    {
      name: 'five megabytes of noise are read as they were sent',
      async check(subject) {
        const run = await reading(subject, 'sha256sum')
        const noise = randomBytes(5_000_000)
        await write(subject, run, noise)
        expect((await readBy(subject, run)).toString()).toContain(createHash('sha256').update(noise).digest('hex'))
      },
    },
    {
      name: 'it is sent in parts',
      async check(subject) {
        const run = await reading(subject)
        expect(await write(subject, run, 'one ', { end: false })).toBe(4)
        expect(await write(subject, run, 'two', { offset: 4 })).toBe(7)
        expect((await readBy(subject, run)).toString()).toBe('one two')
      },
    },
    {
      name: 'a part that is sent twice is read once',
      async check(subject) {
        const run = await reading(subject)
        await write(subject, run, 'abc', { end: false })
        await write(subject, run, 'abc', { end: false })
        await write(subject, run, 'bcdef', { offset: 1 })
        expect((await readBy(subject, run)).toString()).toBe('abcdef')
      },
    },
    {
      name: 'a part that leaves a gap is refused, and says where to go on',
      async check(subject) {
        const run = await reading(subject)
        await subject.refuses('run.stdin_gap', write(subject, run, 'late', { offset: 10 }))
        await write(subject, run, 'in time')
        expect((await readBy(subject, run)).toString()).toBe('in time')
      },
    },
    {
      name: 'a command that was started without takes none',
      async check(subject) {
        const { id } = await subject.submit(['sleep', '600'])
        await subject.reaches(id, 'running')
        await subject.refuses('run.stdin_closed', write(subject, id, 'no'))
        await subject.asked.call(cancelRun, { run: id, graceMs: 0 })
        await subject.ends(id)
      },
    },
    {
      name: 'a command that has ended takes none',
      async check(subject) {
        const { run } = await subject.outcome('true', { stdin: 'open' })
        await subject.refuses('run.ended', write(subject, run.id, 'late'))
      },
    },
  ],
}
