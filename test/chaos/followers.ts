// Those who follow one run from its hub, each in its own way, and what they have in the end: for tests that break something meanwhile
// and ask for every line once, in order.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { followEvents } from '../../src/contract/event.ts'
import { followLog, readOutput } from '../../src/contract/output.ts'
import type { HubClient } from '../../src/sdk/client.ts'

const bin = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))

export interface Followers extends AsyncDisposable {
  /** What has been read so far, by the reader over HTTP. */
  readonly soFar: () => string
  /** Resolves once all have read to the end of the run; rejects unless each has the lines 1 to `last`, once each and in order. */
  haveAll(last: number): Promise<void>
}

/** `muster run logs -f`, and over HTTP the run's stdout, its log and its events. */
export function followRun({
  home,
  client,
  host,
  run,
}: {
  home: string
  client: HubClient
  host: string
  run: string
}): Followers {
  const leaving = new AbortController()
  const { signal } = leaving
  const caller = client.host(host)
  let output = ''
  const cli = spawn(process.execPath, [bin, 'run', 'logs', '-f', run], { env: { ...process.env, MUSTER_HOME: home } })
  const ended = once(cli, 'close')
  let printed = ''
  let complaint = ''
  cli.stdout.on('data', (chunk) => {
    printed += chunk
  })
  cli.stderr.on('data', (chunk) => {
    complaint += chunk
  })

  async function readStdout(): Promise<string> {
    for await (const bytes of caller.bytes(readOutput, { run, follow: true }, { signal })) output += Buffer.from(bytes).toString()
    return output
  }
  async function readLog(): Promise<string> {
    let text = ''
    for await (const chunk of caller.items(followLog, { run, follow: true }, { signal })) text += chunk.text
    return text
  }
  async function readEvents(): Promise<number[]> {
    const numbers: number[] = []
    for await (const { seq } of caller.items(followEvents, { run, follow: true }, { signal })) numbers.push(seq)
    return numbers
  }
  async function readByCli(): Promise<string> {
    const [code] = await ended
    expect(code, complaint).toBe(0)
    return printed
  }
  const all = Promise.all([readByCli(), readStdout(), readLog(), readEvents()])
  // Whoever gives up before asking for the end is not told of it.
  all.catch(() => undefined)

  return {
    soFar: () => output,
    async haveAll(last) {
      const [byCli, stdout, log, events] = await all
      for (const [reader, text] of Object.entries({ byCli, stdout, log })) expect(firstFlaw(text, last), reader).toBeUndefined()
      expect(events.length, 'the events of the run').toBeGreaterThanOrEqual(3)
      expect(events).toEqual(events.map((_, index) => index + 1))
    },
    async [Symbol.asyncDispose]() {
      leaving.abort()
      cli.kill('SIGKILL')
      await ended
    },
  }
}

/** Where a text is not the lines 1 to `last`; undefined if it is. */
function firstFlaw(text: string, last: number): string | undefined {
  const lines = text.split('\n')
  const at = lines.findIndex((line, index) => line !== (index < last ? `${index + 1}` : ''))
  if (at !== -1) return `after line ${at} comes ${JSON.stringify(lines.slice(at, at + 3))}`
  return lines.length === last + 1 ? undefined : `it ends after ${lines.length - 1} lines, and not ${last}`
}
