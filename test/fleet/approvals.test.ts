// Approvals over a real tunnel, with hub and node killed while something waits: nothing runs that nobody has approved, and nothing twice.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FleetApproval } from '../../src/contract/approval.ts'
import {
  type Home,
  joinNode,
  makeHome,
  muster,
  musterJson,
  rejoinNode,
  type Served,
  serveHub,
  start,
  until,
  untilOnline,
} from '../resources/muster.ts'

const asks = `
[[rule]]
effect = "ask"
command = "exec"
`

async function askingHome(): Promise<Home> {
  const home = await makeHome()
  await mkdir(join(home.path, 'node'), { mode: 0o700 })
  await writeFile(join(home.path, 'node', 'policy.toml'), asks, { mode: 0o600 })
  return home
}

const list = (home: Home, ...options: string[]) =>
  musterJson<{ approvals: FleetApproval[] }>(home.path, ['approval', 'list', ...options]).then(({ approvals }) => approvals)

function waits(home: Home): Promise<FleetApproval> {
  return until('a question is there', async () => (await list(home))[0])
}

/** An invocation that leaves a line in a file of the test's. */
function invocation(home: Home): { args: string[]; ran: () => Promise<string> } {
  const file = join(home.path, 'ran')
  const params = JSON.stringify({ argv: ['/bin/sh', '-c', `echo ran >> ${file}`] })
  return { args: ['invoke', 'box', 'exec', params], ran: () => readFile(file, 'utf8').catch(() => 'not at all') }
}

const ways = {
  killed: (hub: Served) => hub.kill(),
  stopped: async (hub: Served) => {
    process.kill(hub.pid, 'SIGTERM')
    await hub.ended
  },
}

test.each(['killed', 'stopped'] as const)(
  'a hub that is %s has what waits again, and the same request goes on from there',
  async (way) => {
    await using home = await makeHome()
    await using nodeHome = await askingHome()
    const hub = await serveHub(home)
    await using _node = await joinNode(hub, 'box', nodeHome, { allow: [] })
    const { args, ran } = invocation(home)
    await using first = start(home.path, args)
    const asked = await waits(home)
    expect(asked).toMatchObject({ host: 'box', state: 'pending', asked: { command: 'exec', asker: 'local-socket' } })
    await until('who waits is told where to approve', async () =>
      first.log().includes(`muster approval approve ${asked.id}`) ? true : undefined,
    )

    await ways[way](hub)
    await first.ended
    await using again = await serveHub(home, { bind: new URL(hub.url).host })
    await untilOnline(again, 'box')
    expect(await waits(home)).toMatchObject({ id: asked.id, digest: asked.digest })
    expect(await muster(home.path, ['approval', 'approve', asked.id])).toMatchObject({
      code: 0,
      stdout: 'approved, once: exec on box\n',
    })
    expect(await ran()).toBe('not at all')

    expect(await muster(home.path, args)).toMatchObject({ code: 0 })
    expect(await ran()).toBe('ran\n')
    expect((await muster(home.path, ['approval', 'deny', asked.id, '--reason', 'too late'])).stderr).toContain(
      'it is over (approved)',
    )
    expect(await list(home, '--all')).toMatchObject([{ id: asked.id, state: 'approved', resolution: { by: 'local-socket' } }])
  },
)

test('denied, who asks is told by whom and why; a node that is killed asks no more for what nobody waits for; nothing was run', async () => {
  await using home = await makeHome()
  await using nodeHome = await askingHome()
  await using hub = await serveHub(home)
  const node = await joinNode(hub, 'box', nodeHome, { allow: [] })
  const { args, ran } = invocation(home)
  await using denied = start(home.path, args)
  const { id } = await waits(home)
  expect((await muster(home.path, ['approval', 'deny', id, '--reason', 'not today'])).stdout).toBe('denied: exec on box\n')
  await denied.ended
  expect(denied.log()).toContain('local-socket did not approve exec: not today.')

  await using waiting = start(home.path, args)
  const asked = await waits(home)
  await node.kill()
  await waiting.ended
  expect(waiting.log()).toContain('was sent to box, and no answer came')
  await using _again = await rejoinNode(hub, 'box', nodeHome, { allow: [] })
  await until('the question is over', async () => ((await list(home)).length === 0 ? true : undefined))
  expect(await list(home, '--all')).toMatchObject([
    { id: asked.id, state: 'unavailable' },
    { id, state: 'denied' },
  ])
  expect((await muster(home.path, ['approval', 'approve', asked.id])).code).toBe(5)
  expect(await ran()).toBe('not at all')
})
