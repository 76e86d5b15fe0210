// Enrolment: one token, one key. Who comes second with the same token, who forged one, and who was removed stay out.

import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { joinNode, makeHome, muster, musterJson, rejoinNode, serveHub } from '../resources/muster.ts'

interface Enrolled {
  readonly token: string
  readonly host: string
  readonly hubUrl: string
}

it('a token that a node has used is refused to another key, and the first node is not disturbed', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using thiefHome = await makeHome()
  await using hub = await serveHub(home)
  const { token, hubUrl } = await musterJson<Enrolled>(home.path, ['node', 'enroll', 'second'])
  await using _node = await rejoinNode(hub, 'second', nodeHome, { token })
  const thief = await muster(thiefHome.path, ['node', '--hub', hubUrl, '--token-stdin', '--allow', 'runs'], { input: token })
  expect(thief.code).toBe(3)
  expect(thief.stderr).toContain('The token of second is of no use here: another key has joined as that host.')
  expect((await muster(home.path, ['exec', 'second', '--', 'echo', 'still here'])).stdout).toBe('still here\n')
})

it.each([
  ['forged', (token: string) => token.replace(/[0-9a-f]{8}$/, '00000000')],
  ['cut short', (token: string) => token.slice(0, -5)],
  ['empty', () => ''],
])('a token that is %s is refused with one sentence', async (_, spoil) => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using _hub = await serveHub(home)
  const { token, hubUrl } = await musterJson<Enrolled>(home.path, ['node', 'enroll', 'second'])
  const refused = await muster(nodeHome.path, ['node', '--hub', hubUrl, '--token-stdin', '--allow', 'runs'], {
    input: spoil(token),
  })
  expect(refused.code).toBeGreaterThan(0)
  expect(refused.stderr).toMatch(/token/)
  expect(refused.stderr).toMatch(/hint: /)
})

it('a token is never sent to a hub that cannot prove the key it names', async () => {
  await using home = await makeHome()
  await using otherHome = await makeHome()
  await using nodeHome = await makeHome()
  await using _hub = await serveHub(home)
  await using other = await serveHub(otherHome)
  const { token } = await musterJson<Enrolled>(home.path, ['node', 'enroll', 'second'])
  const refused = await muster(
    nodeHome.path,
    ['node', '--hub', other.url.replace('http', 'ws'), '--token-stdin', '--allow', 'runs'],
    { input: token },
  )
  expect(refused.code).toBe(3)
  expect(refused.stderr).toContain('was expected')
})

it('without --allow runs the node joins and runs nothing', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using _node = await joinNode(hub, 'second', nodeHome, { allow: [] })
  const denied = await muster(home.path, ['exec', 'second', '--', 'echo', 'no'])
  expect(denied).toMatchObject({ code: 255, stdout: '' })
  expect(denied.stderr).toContain('--allow runs')
})

it('a removed host is cut off at once and cannot come back', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  const node = await joinNode(hub, 'second', nodeHome)
  expect((await muster(home.path, ['host', 'remove', 'second'])).code).toBe(0)
  await node.ended
  expect(node.log()).toContain('does not know this node')
  expect((await muster(home.path, ['exec', 'second', '--', 'true'])).stderr).toContain('There is no host second')
})

it("the token is kept nowhere: not at the hub, not at the node; the node's key is its owner's alone", async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  const { token } = await musterJson<Enrolled>(home.path, ['node', 'enroll', 'second'])
  await using _node = await rejoinNode(hub, 'second', nodeHome, { token })
  for (const dir of [home.path, nodeHome.path]) {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true })
    for (const file of entries.filter((entry) => entry.isFile())) {
      expect((await readFile(join(file.parentPath, file.name))).includes(token), file.name).toBe(false)
    }
  }
  expect((await stat(join(nodeHome.path, 'node', 'key'))).mode & 0o777).toBe(0o600)
})
