import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { failure } from '../../contract/errors.ts'
import type { Terminal } from '../terminal.ts'
import { showLogs } from './logs.ts'

/** Answers a log's first chunks and then says that there is no such run, as a hub does whose host was removed meanwhile. */
async function brokenHub(chunks: readonly object[]): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((request, response) => {
    if (!request.url?.includes('/log')) return response.setHeader('Content-Type', 'application/json').end(JSON.stringify(run))
    response.setHeader('Content-Type', 'text/event-stream')
    for (const chunk of chunks) response.write(`event: item\ndata: ${JSON.stringify(chunk)}\n\n`)
    const { message: detail, ...gone } = failure('run.unknown', { run: run.id }).toValue()
    response.end(`event: error\ndata: ${JSON.stringify({ ...gone, detail, title: '', type: 'about:blank', status: 404 })}\n\n`)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

const at = '2026-01-01T00:00:00.000Z'
const run = {
  id: 'run_a',
  host: 'box',
  kind: 'command',
  state: 'running',
  title: 'a',
  parent: null,
  createdAt: at,
  startedAt: at,
  endedAt: null,
  pid: 1,
  exit: null,
  error: null,
  output: { stdout: 0, stderr: 0 },
  lastEvent: 2,
  unreachableSince: null,
}
const chunkNumber = (chunk: number) => ({ chunk, at, stream: 'stdout', offset: chunk, text: `${chunk}\n` })

function terminalAt(url: string) {
  const said: string[] = []
  const shown: string[] = []
  const terminal: Terminal = {
    argv: [],
    env: { MUSTER_HUB: url },
    cwd: '/',
    stdin: Readable.from([]),
    out: async (data) => void shown.push(String(data)),
    err: async () => undefined,
    say: (line) => void said.push(line),
    flushed: async () => undefined,
    screen: false,
    errScreen: false,
    color: false,
    columns: 80,
    rows: 24,
  }
  return { terminal, said, shown }
}

test('a log that breaks off for good says which command shows the rest', async () => {
  await using hub = await brokenHub([chunkNumber(1), chunkNumber(2)])
  const { terminal, said, shown } = terminalAt(hub.url)
  const options = { follow: true, stream: 'merged' } as const
  await expect(showLogs(terminal, options, 'run_a')).rejects.toMatchObject({ code: 'run.unknown' })
  expect(shown).toEqual(['1\n', '2\n'])
  expect(said).toEqual(['Read up to chunk 2; the rest: muster run logs -f --stream merged run_a --since 2'])
})

test('a log of which nothing came says no more than why', async () => {
  await using hub = await brokenHub([])
  const { terminal, said } = terminalAt(hub.url)
  await expect(showLogs(terminal, {}, 'run_a')).rejects.toMatchObject({ code: 'run.unknown' })
  expect(said).toEqual([])
})
