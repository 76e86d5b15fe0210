// Files of a host through real processes: nothing without its exposing it, nothing that its hub does not trust it with, and `muster cp`
// as people and scripts meet it.

import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { joinNode, makeHome, muster, musterJson, serveHub, start, until } from '../resources/muster.ts'

it('a host gives and takes what it exposes, where it exposes it, and its hub trusts it with', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  const node = await joinNode(hub, 'box', nodeHome)
  await using _node = node
  const dir = join(home.path, 'mine')
  await mkdir(dir)
  await writeFile(join(dir, 'file'), 'content')
  const cp = (...args: string[]) => muster(home.path, ['cp', ...args], { cwd: dir })

  const refused = await cp('file', 'box:')
  expect(refused).toMatchObject({ code: 3, stdout: '' })
  expect(refused.stderr).toContain(
    'box: The host does not allow its hub "file.write".\nhint: On that machine: `muster node expose file.write`',
  )
  await muster(nodeHome.path, ['node', 'expose', 'file.write'])
  expect(await cp('file', 'box:')).toEqual({ code: 0, stdout: '', stderr: '' })
  const workspaces = join(nodeHome.path, 'host/workspaces')
  expect(await readFile(join(workspaces, 'file'), 'utf8')).toBe('content')
  const read = await cp('box:file', 'back')
  expect(read).toMatchObject({ code: 3 })
  expect(read.stderr).toContain('muster node expose file.read')

  await writeFile(join(workspaces, 'secret'), 'secret')
  await muster(nodeHome.path, [
    'node',
    'expose',
    'file.read',
    '--when',
    'params.path.endsWith("/file") || params.path.endsWith("workspaces")',
  ])
  const some = await cp('-r', 'box:', 'all')
  expect(some.code).toBe(1)
  expect(some.stderr).toContain('secret is not copied: The host does not allow its hub "file.read"')
  expect(await readdir(join(dir, 'all'))).toEqual(['file'])

  const outside = await cp('file', 'box:/etc/file')
  expect(outside).toMatchObject({ code: 3 })
  expect(outside.stderr).toContain(
    `it exposes ${workspaces}.\nhint: On that machine, name its directory in node/policy.toml of its MUSTER_HOME: \`[files]\`, \`roots = ["/etc"]\``,
  )

  const record = join(home.path, 'hosts', `${node.host}.toml`)
  await writeFile(record, (await readFile(record, 'utf8')).replace('allow = [ "*" ]', 'allow = ["runs", "file.read"]'))
  // The edit counts once the hub has seen it.
  const untrusted = await until('the hub refuses', async () => {
    const ended = await cp('--force', 'file', 'box:')
    return ended.code === 0 ? undefined : ended
  })
  expect(untrusted).toMatchObject({ code: 3 })
  expect(untrusted.stderr).toContain('does not trust box with "file.write"')
})

it('muster cp: one JSON result, nothing else where nobody looks on; links are named and the rest is copied', async () => {
  await using home = await makeHome()
  await using _hub = await serveHub(home)
  const dir = join(home.path, 'mine')
  await mkdir(join(dir, 'tree/sub'), { recursive: true })
  await writeFile(join(dir, 'tree/sub/a'), 'a')
  await writeFile(join(dir, '-dash'), 'b')
  await symlink('/etc', join(dir, 'tree/link'))
  const cp = (...args: string[]) => muster(home.path, ['cp', ...args], { cwd: dir })
  const json = await musterJson<{ copied: { bytes: number; sha256: string }[] }>(home.path, ['cp', './-dash', 'local:'], {
    cwd: dir,
  })
  expect(json.copied).toMatchObject([{ bytes: 1, sha256: '3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d' }])
  const plain = await cp('tree', 'local:')
  expect(plain).toMatchObject({ code: 1, stdout: '' })
  expect(plain.stderr).toContain('it is a directory; `-r` copies directories')
  const tree = await cp('-r', 'tree', 'local:')
  expect(tree).toMatchObject({ code: 1, stdout: '' })
  expect(tree.stderr).toContain('tree/link is not copied: it is a link, and links are not copied.')
  expect((await cp('-r', '--dry-run', 'local:tree', 'copy')).stdout).toMatch(/^local:\/.*\/tree\/sub\/a -> .*\/copy\/sub\/a\n$/)
  expect(await cp('-r', 'local:tree', 'copy')).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(await readFile(join(dir, 'copy/sub/a'), 'utf8')).toBe('a')
  expect((await cp('local:none', '.')).code).toBe(8)
  expect((await cp('one')).code).toBe(2)
})

it('where the policy asks, a copy waits for a person, once for what was named, and is refused with his word', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using _node = await joinNode(hub, 'box', nodeHome, { allow: ['file.read'] })
  await muster(nodeHome.path, ['node', 'expose', 'file.write', '--ask'])
  const dir = join(home.path, 'mine')
  await mkdir(join(dir, 'tree/sub'), { recursive: true })
  for (const name of ['a', 'sub/b']) await writeFile(join(dir, 'tree', name), name)
  await writeFile(join(dir, 'tree/large'), Buffer.alloc(2 * 1024 * 1024, 1))
  const workspaces = join(nodeHome.path, 'host/workspaces')

  const asked = async (answered: number) => {
    const copy = start(home.path, ['cp', '-r', join(dir, 'tree'), 'box:tree'])
    const approvals = await until(
      'a question waits',
      async () => {
        const { approvals } = await musterJson<{ approvals: Question[] }>(home.path, ['approval', 'list', '--all'])
        return approvals.length > answered && approvals.some(({ state }) => state === 'pending') ? approvals : undefined
      },
      copy,
    )
    expect(approvals).toHaveLength(answered + 1)
    return { copy, question: approvals.find(({ state }) => state === 'pending') as Question }
  }
  const first = await asked(0)
  expect(first.question.asked).toMatchObject({ command: 'file.write', params: { path: join(workspaces, 'tree') } })
  expect(await readdir(workspaces).catch(() => [])).toEqual([])
  await muster(home.path, ['approval', 'deny', first.question.id, '--reason', 'not today'])
  await first.copy.ended
  expect(first.copy.log()).toContain('not today')

  const second = await asked(1)
  expect(second.copy.log()).toContain(`muster approval approve ${second.question.id}`)
  await muster(home.path, ['approval', 'approve', second.question.id])
  await second.copy.ended
  expect((await readdir(join(workspaces, 'tree'), { recursive: true })).sort()).toEqual(['a', 'large', 'sub', 'sub/b'])
  // It was for that copy.
  const third = await asked(2)
  await third.copy.kill()
})

interface Question {
  readonly id: string
  readonly state: string
  readonly asked: { readonly command: string; readonly params: Record<string, unknown> }
}
