// A link that is cut, again and again: the run goes on, and who follows it sees neither gap nor repeat.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { execDetached, joinNode, makeHome, musterJson, serveHub, until } from '../resources/muster.ts'
import { openProxy } from '../resources/proxy.ts'

const countUp = fileURLToPath(new URL('../programs/count-up.mjs', import.meta.url))
const bin = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))

it('a reader that follows a run through three cuts reads every line once, in order', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using proxy = await openProxy(hub.url)
  await using _node = await joinNode(hub, 'second', nodeHome, { via: proxy.url })
  const run = await execDetached(home.path, 'second', [process.execPath, countUp, '150', '20'])

  const reader = spawn(process.execPath, [bin, 'run', 'logs', '-f', run], { env: { ...process.env, MUSTER_HOME: home.path } })
  let read = ''
  reader.stdout.on('data', (chunk) => {
    read += chunk
  })
  const ended = once(reader, 'close')
  for (const line of ['10', '40', '70']) {
    await until(`the reader has line ${line}`, async () => (read.includes(`\n${line}\n`) ? true : undefined))
    proxy.refuse()
    await until('the hub sees the cut', async () => {
      const { hosts } = await musterJson<{ hosts: { name: string; status: string }[] }>(home.path, ['host', 'list'])
      return hosts.find(({ name }) => name === 'second')?.status === 'offline' ? true : undefined
    })
    proxy.mend()
  }
  const [code] = await ended
  expect(code).toBe(0)
  expect(read).toBe(Array.from({ length: 150 }, (_, i) => `${i + 1}\n`).join(''))
})
