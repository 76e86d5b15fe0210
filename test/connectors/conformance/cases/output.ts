// Output: byte for byte what was written, whatever it is, read whole or in parts, then or later.

import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { feedOutput, followLog, type LogChunk, readOutput } from '../../../../src/contract/output.ts'
import { decodeFeed } from '../../../../src/store/output/record.ts'
import type { Case, CaseGroup } from '../case.ts'
import { all, type Subject } from '../subject.ts'

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

/** Printf's way to say them. */
function octal(bytes: Uint8Array): string {
  return [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}

function bytesOf(chunks: readonly LogChunk[], stream: LogChunk['stream']): Buffer {
  const own = chunks.filter((chunk) => chunk.stream === stream)
  return Buffer.concat(
    own.map(({ text, base64 }) => (text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text))),
  )
}

/** Bytes that arrive in two parts with time between, so that a reader meets them apart. */
function split(what: string, first: Uint8Array, second: Uint8Array): Case {
  return {
    name: `${what} that is split over two writes arrives whole, as bytes and as a log`,
    async check({ shell, ends, bytes, asked }) {
      const { id } = await shell(`printf '${octal(first)}'; sleep 0.2; printf '${octal(second)}'`)
      await ends(id)
      const whole = Buffer.concat([first, second])
      expect(await bytes(id)).toEqual(whole)
      expect(bytesOf(await all(asked.items(followLog, { run: id, follow: true })), 'stdout')).toEqual(whole)
    },
  }
}

/** Writes a line, waits until the log has it, writes the next: so many chunks then, on however busy a machine. */
async function writeInTurn({ shell, asked, eventually, ends, freshPath }: Subject, lines: readonly string[]): Promise<string> {
  const gate = freshPath('gate')
  const { id } = await shell(lines.map((line, at) => `${line}; while [ ! -e ${gate}.${at} ]; do sleep 0.02; done`).join('; '))
  for (const at of lines.keys()) {
    await eventually(`chunk ${at + 1} is in the log`, async () => {
      const chunks = await all(asked.items(followLog, { run: id }))
      return chunks.length > at ? true : undefined
    })
    await writeFile(`${gate}.${at}`, '')
  }
  await ends(id)
  return id
}

const tenLines = 'for i in 0 1 2 3 4 5 6 7 8 9; do echo line $i; done'
const tenLinesText = Array.from({ length: 10 }, (_, at) => `line ${at}\n`).join('')

async function readTenLines({ shell, ends, bytes }: Subject, from: { offset?: number; limit?: number }): Promise<string> {
  const { id } = await shell(tenLines)
  await ends(id)
  return (await bytes(id, 'stdout', from)).toString()
}

export const output: CaseGroup = {
  title: 'output',
  how: 'together',
  cases: [
    {
      name: 'standard output and standard error are two streams',
      async check({ outcome }) {
        const { run, stdout, stderr } = await outcome('echo out; echo err >&2; echo out again')
        expect({ stdout, stderr }).toEqual({ stdout: 'out\nout again\n', stderr: 'err\n' })
        expect(run.output).toEqual({ stdout: stdout.length, stderr: stderr.length })
      },
    },
    {
      name: 'a command that writes nothing has empty output',
      async check({ outcome, asked }) {
        const { run, stdout, stderr } = await outcome('true')
        expect({ stdout, stderr, sizes: run.output }).toEqual({ stdout: '', stderr: '', sizes: { stdout: 0, stderr: 0 } })
        expect(await all(asked.items(followLog, { run: run.id, follow: true }))).toEqual([])
      },
    },
    {
      name: 'every byte from 0 to 255 arrives as it is',
      async check({ shell, ends, bytes }) {
        const { id } = await shell(`printf '${octal(everyByte)}'`)
        await ends(id)
        expect(await bytes(id)).toEqual(everyByte)
      },
    },
    {
      name: 'a megabyte of noise arrives as it is',
      async check({ shell, ends, bytes, freshPath }) {
        const file = freshPath('noise')
        const { id } = await shell(`head -c 1048576 /dev/urandom | tee ${file}; sha256sum < ${file} >&2`)
        await ends(id)
        const noise = await bytes(id)
        expect(noise.length).toBe(1_048_576)
        expect((await bytes(id, 'stderr')).toString()).toContain(createHash('sha256').update(noise).digest('hex'))
      },
    },
    {
      name: 'what is not UTF-8 comes as base64 in the log',
      async check({ shell, ends, asked }) {
        const { id } = await shell("printf '\\377\\376'")
        await ends(id)
        expect(await all(asked.items(followLog, { run: id, follow: true }))).toMatchObject([{ base64: '//4=' }])
      },
    },
    split('a character', Buffer.from([0xe2, 0x82]), Buffer.from([0xac, 0x0a])),
    split('an emoji', Buffer.from([0xf0]), Buffer.from([0x9f, 0x99, 0x82])),
    split('a line end', Buffer.from('one\r'), Buffer.from('\ntwo')),
    {
      name: 'terminal sequences and line ends are not touched',
      async check({ outcome }) {
        const { stdout } = await outcome("printf 'a\\r\\nb\\rc\\033[31mred\\033[0m\\ttab\\007'")
        expect(stdout).toBe('a\r\nb\rc\u001b[31mred\u001b[0m\ttab\u0007')
      },
    },
    {
      name: 'one line of ten megabytes arrives whole',
      async check({ shell, ends, bytes }) {
        const { id } = await shell("head -c 10000000 /dev/zero | tr '\\0' x")
        await ends(id)
        const line = await bytes(id)
        expect(line.length).toBe(10_000_000)
        expect(line.equals(Buffer.alloc(10_000_000, 'x'))).toBe(true)
      },
    },
    {
      name: 'fifty thousand short lines arrive all, in order',
      async check({ shell, ends, bytes }) {
        const { id } = await shell('seq 50000')
        await ends(id)
        const lines = (await bytes(id)).toString().split('\n').slice(0, -1)
        expect(lines.length).toBe(50_000)
        expect(lines.every((line, at) => line === String(at + 1))).toBe(true)
      },
    },
    {
      name: 'it is read from an offset',
      async check(subject) {
        expect(await readTenLines(subject, { offset: 7 })).toBe(tenLinesText.slice(7))
      },
    },
    {
      name: 'so many bytes are read as are asked for',
      async check(subject) {
        expect(await readTenLines(subject, { limit: 10 })).toBe(tenLinesText.slice(0, 10))
      },
    },
    {
      name: 'a part in the middle is read',
      async check(subject) {
        expect(await readTenLines(subject, { offset: 33, limit: 11 })).toBe(tenLinesText.slice(33, 44))
      },
    },
    {
      name: 'what is written is read while the command goes on',
      needs: ['interactive'],
      async check({ shell, asked, freshPath, find, ends }) {
        const stop = freshPath('stop')
        const { id } = await shell(`echo first; while [ ! -e ${stop} ]; do sleep 0.05; done; echo last`)
        let read = ''
        for await (const bytes of asked.bytes(readOutput, { run: id, follow: true })) {
          if (read === '') {
            expect(Buffer.from(bytes).toString()).toBe('first\n')
            expect((await find(id)).state).toBe('running')
            await shell(`touch ${stop}`)
          }
          read += Buffer.from(bytes).toString()
        }
        expect(read).toBe('first\nlast\n')
        await ends(id)
      },
    },
    {
      name: 'what is written so far is told while the command goes on',
      async check({ shell, freshPath, find, ends, eventually }) {
        const stop = freshPath('stop')
        const { id } = await shell(`echo 12345; while [ ! -e ${stop} ]; do sleep 0.05; done`)
        await eventually('its output is counted', async () => ((await find(id)).output.stdout === 6 ? true : undefined))
        await shell(`touch ${stop}`)
        expect((await ends(id)).output).toEqual({ stdout: 6, stderr: 0 })
      },
    },
    {
      name: 'readers that come at once each get all of it',
      async check({ shell, bytes }) {
        const { id } = await shell('seq 2000; sleep 0.2; seq 2001 4000')
        const whole = Array.from({ length: 4000 }, (_, at) => `${at + 1}\n`).join('')
        const readers = await Promise.all(Array.from({ length: 5 }, () => bytes(id)))
        expect(readers.map(String).every((read) => read === whole)).toBe(true)
      },
    },
    {
      name: 'a reader that waits from before the beginning gets all of it',
      async check({ shell, bytes }) {
        const { id } = await shell('echo begins; sleep 0.1; echo ends')
        expect((await bytes(id)).toString()).toBe('begins\nends\n')
      },
    },
    {
      name: 'the log has both streams in the order in which they were written',
      async check(subject) {
        const { asked } = subject
        const id = await writeInTurn(subject, ['echo 1', 'echo 2 >&2', 'echo 3'])
        const chunks = await all(asked.items(followLog, { run: id, follow: true }))
        expect(chunks.map(({ stream, text }) => `${stream} ${text}`)).toEqual(['stdout 1\n', 'stderr 2\n', 'stdout 3\n'])
        expect(chunks.map(({ chunk }) => chunk)).toEqual([1, 2, 3])
      },
    },
    {
      name: 'the log goes on after a chunk',
      async check(subject) {
        const { asked } = subject
        const id = await writeInTurn(subject, ['echo 1', 'echo 2', 'echo 3'])
        const chunks = await all(asked.items(followLog, { run: id, follow: true }))
        expect(await all(asked.items(followLog, { run: id, after: 1, follow: true }))).toEqual(chunks.slice(1))
        expect(await all(asked.items(followLog, { run: id, after: chunks.length, follow: true }))).toEqual([])
      },
    },
    {
      name: 'the feed that a mirror copies has the same bytes',
      async check({ shell, ends, asked }) {
        const { id } = await shell('seq 1000; echo end >&2')
        await ends(id)
        const parts = await all(decodeFeed(asked.bytes(feedOutput, { run: id })))
        const of = (stream: string) =>
          Buffer.concat(parts.filter(({ record }) => record.stream === stream).map(({ bytes }) => bytes)).toString()
        expect(of('stdout')).toBe(Array.from({ length: 1000 }, (_, at) => `${at + 1}\n`).join(''))
        expect(of('stderr')).toBe('end\n')
      },
    },
    {
      name: 'what was written before a failure is kept',
      async check({ outcome }) {
        const { run, stdout, stderr } = await outcome('echo so far; echo why >&2; kill -KILL $$')
        expect({ state: run.state, stdout, stderr }).toEqual({ state: 'failed', stdout: 'so far\n', stderr: 'why\n' })
      },
    },
  ],
}

export const largeOutput: CaseGroup = {
  title: 'large output',
  how: 'in turn',
  cases: [
    {
      name: 'a hundred megabytes arrive whole',
      async check({ shell, asked, ends, bytes, freshPath }) {
        const file = freshPath('noise')
        const { id } = await shell(`head -c 104857600 /dev/urandom > ${file}; cat ${file}; sha256sum < ${file} >&2; rm ${file}`)
        const hash = createHash('sha256')
        let length = 0
        for await (const bytes of asked.bytes(readOutput, { run: id, follow: true })) {
          hash.update(bytes)
          length += bytes.byteLength
        }
        expect(length).toBe(104_857_600)
        expect((await bytes(id, 'stderr')).toString()).toContain(hash.digest('hex'))
        expect(await ends(id)).toMatchObject({ state: 'succeeded', output: { stdout: 104_857_600 } })
      },
    },
  ],
}
