// What people do about a machine's policy, and what it then tells them: on the machine, and at the hub.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Decision } from '../../src/contract/policy.ts'
import { loadIdentity } from '../../src/wire/identity.ts'
import { joinNode, makeHome, muster, musterJson, serveHub, until } from '../resources/muster.ts'

it('a rule counts at once at the hub, which says as much of it as the machine itself, and its own part', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using _node = await joinNode(hub, 'box', nodeHome, { allow: ['runs'] })
  const { fingerprint: key } = await loadIdentity(join(home.path, 'hub', 'key'))

  const before = await muster(home.path, ['policy', 'test', 'box', 'date'])
  expect(before).toMatchObject({ code: 3, stderr: '' })
  expect(before.stdout).toContain("date on box: denied, by the host's own policy: nothing here allows it.")
  expect(before.stdout).toContain('· allow runs (--allow): it is about other commands')

  const exposed = await muster(nodeHome.path, [
    'node',
    'expose',
    'date',
    '--to',
    key.slice(0, 6),
    '--when',
    'params.zone == "UTC"',
  ])
  expect(exposed).toMatchObject({ code: 0, stdout: `allow date to ${key} when params.zone == "UTC"\n` })
  expect(exposed.stderr).toContain('This machine has no command date: the rule counts once it has one')
  const asked = ['date', '{"zone": "UTC"}']
  const atHub = await musterJson<Decision>(home.path, ['policy', 'test', 'box', ...asked])
  expect(atHub).toMatchObject({
    effect: 'allow',
    trace: [{ layer: 'role' }, { layer: 'trust' }, { layer: 'pair' }, { layer: 'catalog' }],
  })
  const onBox = await musterJson<Decision>(nodeHome.path, ['node', 'policy', 'test', ...asked, '--hub', key])
  expect(onBox.trace).toEqual(atHub.trace.slice(2))
  expect(await muster(home.path, ['policy', 'test', 'box', 'date', '{"zone": "CET"}'])).toMatchObject({ code: 3 })

  // Another hub is told nothing of it; the machine's own people see it.
  const other = await muster(nodeHome.path, ['node', 'policy', 'test', ...asked, '--hub', 'f'.repeat(32)])
  expect(other).toMatchObject({ code: 3 })
  expect(other.stdout).toContain(`· allow date to ${key}`)

  // What hides stays hidden from who is allowed more.
  await muster(nodeHome.path, ['node', 'hide', 'date'])
  const stays = await muster(nodeHome.path, ['node', 'expose', '*'])
  expect(stays).toMatchObject({ code: 0, stdout: 'allow *\n' })
  expect(
    (
      await musterJson<Decision>(home.path, ['policy', 'test', 'box', 'date', '{"zone": "UTC"}', '--session', 's']).catch(String)
    ).toString(),
  ).toContain('exited 3')
  const ask = await muster(nodeHome.path, ['node', 'expose', 'date', '--ask'])
  expect(ask).toMatchObject({ code: 0, stdout: 'ask date\n' })
  const known = await muster(nodeHome.path, ['node', 'expose', 'shell'])
  expect(known).toMatchObject({ code: 0, stdout: 'allow shell\n', stderr: '' })
  const loose = await muster(nodeHome.path, ['node', 'expose', 'exec', '--when', 'params.argv[0] == "date"'])
  expect(loose).toMatchObject({ code: 0, stderr: expect.stringContaining('&& params.env == {}') })
  const sensitive = await muster(nodeHome.path, ['node', 'policy', 'test', 'shell', '{"script": "id"}', '--hub', key])
  expect(sensitive.stdout).toContain('a person is asked')
  expect((await muster(home.path, ['policy', 'test', 'box', 'date'])).stdout).toContain('date on box: a person is asked')
  const unasked = await muster(nodeHome.path, ['node', 'expose', 'date'])
  expect(unasked.stderr).toContain('The rule that had a person asked about date is gone.')
})

it('says what it cannot do, and changes nothing then', async () => {
  await using home = await makeHome()
  const file = join(home.path, 'node', 'policy.toml')
  await mkdir(join(home.path, 'node'))
  const written = '# by hand\nrule = [{ effect = "allow", command = "exec" }]\n'
  await writeFile(file, written)
  const wrong = async (...args: string[]) => {
    const { code, stdout, stderr } = await muster(home.path, ['node', ...args])
    expect(stdout).toBe('')
    expect(await readFile(file, 'utf8')).toBe(written)
    return { code, stderr }
  }
  expect(await wrong('hide', 'date')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('[[rule]] effect = "deny" command = "date"'),
  })
  expect(await wrong('expose', 'EXEC')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('a pattern is the name of a command'),
  })
  expect(await wrong('expose', 'exec', '--when', 'params.(')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('The condition is wrong'),
  })
  expect(await wrong('expose', 'exec', '--to', 'abcd')).toMatchObject({ code: 4, stderr: expect.stringContaining('known: none') })
  expect(await wrong('policy', 'test', 'exec', 'no JSON')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no JSON object'),
  })
})

it('the hub hears that the policy of a machine was changed, by which command or by hand, and what of it is its business', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using _node = await joinNode(hub, 'box', nodeHome)
  await muster(nodeHome.path, ['node', 'expose', 'date', '--when', 'params.word != "swordfish"'])
  const told = (count: number) =>
    until(`${count} changes are told`, async () => {
      const { stdout } = await muster(home.path, ['events', '--topic', 'node.policy_changed', '--json'])
      const events = stdout.split('\n').filter((line) => line !== '')
      return events.length >= count ? events.map((line) => JSON.parse(line)) : undefined
    })
  const [exposed] = await told(1)
  expect(exposed).toMatchObject({
    name: 'box',
    data: { by: 'muster node expose', readable: true, added: ['allow date on a condition'], removed: [] },
  })
  await muster(nodeHome.path, ['node', 'expose', 'uptime', '--to', 'f'.repeat(32)])
  const [, another] = await told(2)
  // That another hub may have something is not told.
  expect(another.data).toMatchObject({ by: 'muster node expose', added: [] })
  const log = await muster(nodeHome.path, ['node', 'audit', 'list', '--action', 'policy.change', '--json'])
  expect(JSON.parse(log.stdout).entries).toMatchObject([
    { actor: { kind: 'user', role: 'owner' }, detail: { added: [`allow uptime to ${'f'.repeat(32)}`] } },
    { actor: { kind: 'user', role: 'owner' }, detail: { by: 'muster node expose' } },
  ])
  expect(log.stdout + JSON.stringify([exposed, another])).not.toContain('swordfish')
})
