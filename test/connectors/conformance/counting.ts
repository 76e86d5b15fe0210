// A command that counts until it is told to stop, and notes what it did in files of its own: against these its run is held,
// whatever was broken meanwhile.

import { writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { followEvents, type RunEvent } from '../../../src/contract/event.ts'
import { followLog, type LogChunk, readOutput } from '../../../src/contract/output.ts'
import { linesIn, type Subject } from './subject.ts'

export interface Counting {
  readonly run: string
  readonly pid: number | null
  /** How far it has counted. */
  counted(): Promise<number>
  /** Resolves once it has counted on from here. */
  goesOn(): Promise<void>
  stop(): Promise<void>
  /** Waits for its end, and checks that it started once, ended well, and that all it did is told, once and in order. */
  endsWhole(): Promise<void>
}

/** It runs, and has written, when this resolves. */
export async function startCounting(subject: Subject): Promise<Counting> {
  const { freshPath, shell, reaches, eventually, ends, bytes, events } = subject
  const [starts, ticks, end] = [freshPath('starts'), freshPath('ticks'), freshPath('end')]
  const { id } = await shell(
    `echo $$ >> ${starts}; i=0; while [ ! -e ${end} ]; do i=$((i+1)); echo line $i; echo $i >> ${ticks}; sleep 0.02; done`,
  )
  const { pid } = await reaches(id, 'running')
  const counted = async () => (await linesIn(ticks)).length
  const goesOn = async () => {
    const before = await counted()
    await eventually('it counts on', async () => ((await counted()) > before ? true : undefined))
  }
  await goesOn()
  return {
    run: id,
    pid,
    counted,
    goesOn,
    stop: () => writeFile(end, ''),
    async endsWhole() {
      expect(await ends(id)).toMatchObject({ state: 'succeeded', exit: { code: 0 }, pid, error: null, unreachableSince: null })
      expect(await linesIn(starts)).toEqual([String(pid)])
      expect((await bytes(id)).toString()).toBe(linesUpTo(await counted()))
      const seen = await events(id)
      expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, at) => at + 1))
      expect(seen.filter(({ type }) => type === 'state')).toMatchObject([{ state: 'running' }, { state: 'succeeded' }])
    },
  }
}

export interface Watching {
  /** Resolves once every reader has come to the end; checks that each was told everything, once. */
  sawAll(counting: Counting): Promise<void>
}

/** Readers of all kinds, who have read something when this resolves, and stay. */
export async function watch({ asked }: Subject, run: string): Promise<Watching> {
  const bytes = reading<Uint8Array>(asked.bytes(readOutput, { run, follow: true }))
  const log = reading<LogChunk>(asked.items(followLog, { run, follow: true }))
  const events = reading<RunEvent>(asked.items(followEvents, { run, follow: true }))
  await Promise.all([bytes.begun, log.begun, events.begun])
  return {
    async sawAll({ counted }) {
      const [output, chunks, told] = await Promise.all([bytes.all, log.all, events.all])
      const lines = linesUpTo(await counted())
      expect(Buffer.concat(output).toString()).toBe(lines)
      expect(chunks.map(({ chunk }) => chunk)).toEqual(chunks.map((_, at) => at + 1))
      expect(chunks.map(({ text }) => text).join('')).toBe(lines)
      expect(told.map(({ seq }) => seq)).toEqual(told.map((_, at) => at + 1))
      expect(told.at(-1)).toMatchObject({ type: 'state', state: 'succeeded' })
    },
  }
}

function reading<T>(items: AsyncIterable<T>): { begun: Promise<void>; all: Promise<T[]> } {
  const begun = Promise.withResolvers<void>()
  const read = async () => {
    const found: T[] = []
    for await (const item of items) {
      found.push(item)
      begun.resolve()
    }
    return found
  }
  const all = read()
  all.catch(begun.reject)
  return { begun: begun.promise, all }
}

function linesUpTo(count: number): string {
  return Array.from({ length: count }, (_, at) => `line ${at + 1}\n`).join('')
}
