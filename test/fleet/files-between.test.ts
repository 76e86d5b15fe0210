// From host to host, where each is reached another way: what one sends the other keeps, with nothing landing between, and an end of the
// copying command in the middle loses nothing.

import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import { approveApproval, listApprovals } from '../../src/contract/approval.ts'
import { addHost } from '../../src/contract/host.ts'
import type { CopyOutcome } from '../../src/transfer/copy.ts'
import { clientOf } from '../chaos/client.ts'
import { tokenIn } from '../connectors/bucket/fixture.ts'
import { checkout, joinNode, makeHome, muster, musterJson, serveHub, start, until, untilOnline } from '../resources/muster.ts'
import { openSshd } from '../resources/sshd.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const mebi = 1024 * 1024

test.skipIf(!hasProgram('sshd') || !hasProgram('ssh'))(
  'a tree goes from a host behind ssh to one behind a tunnel, on to one behind a bucket, and back',
  async () => {
    await using opened = new AsyncDisposableStack()
    const [home, far, box, drop] = [await makeHome(), await makeHome(), await makeHome(), await makeHome()]
    for (const one of [home, far, box, drop]) opened.use(one)
    const sshd = opened.use(await openSshd())
    const hub = opened.use(await serveHub(home))
    const config = join(home.path, 'ssh_config')
    await writeFile(join(home.path, 'known_hosts'), sshd.known, { mode: 0o600 })
    const known = `Host *\n  UserKnownHostsFile ${join(home.path, 'known_hosts')}\n`
    await writeFile(config, [sshd.entry('far'), known].join('\n'), { mode: 0o600 })
    const remote = `MUSTER_HOME=${far.path} ${process.execPath} ${checkout}`
    await musterJson(home.path, ['host', 'add', 'far', '--ssh', 'far', '--ssh-config', config, '--remote-command', remote])
    opened.use(await joinNode(hub, 'box', box, { allow: ['file.*'] }))
    const bucket = join(home.path, 'bucket')
    await mkdir(bucket)
    const url = pathToFileURL(bucket).href
    using client = await clientOf(hub)
    const connector = { kind: 'bucket', bucket: url, intervalMs: 300 }
    const { command } = await client.hub.call(addHost, { name: 'drop', connector, probe: false })
    const pull = ['node', 'pull', '--bucket', url, '--allow', 'file.*', '--interval', '300ms', '--token-stdin']
    opened.use(start(drop.path, pull, {}, tokenIn(command)))

    const root = ({ path }: { path: string }) => join(path, 'host/workspaces')
    for (const name of ['far', 'drop']) await untilOnline(hub, name)
    await mkdir(join(root(far), 'tree/sub'), { recursive: true })
    const large = Buffer.concat([randomBytes(3 * mebi), Buffer.alloc(8 * mebi), randomBytes(mebi)])
    await writeFile(join(root(far), 'tree/sub/large'), large)
    for (let n = 0; n < 20; n++) await writeFile(join(root(far), `tree/${n}`), `small ${n}`)

    const cp = (...args: string[]) => musterJson<CopyOutcome>(home.path, ['cp', '-r', ...args])
    const isWhole = async (at: { path: string }, name: string) => {
      expect(sha256(await readFile(join(root(at), name, 'sub/large')))).toBe(sha256(large))
      expect((await stat(join(root(at), name, 'sub/large'))).blocks * 512).toBeLessThan(5 * mebi)
      expect((await readdir(join(root(at), name))).length).toBe(21)
    }
    const first = await cp('far:tree', 'box:tree')
    expect(first).toMatchObject({ problems: [], left: 0, directories: 2 })
    expect(first.copied).toHaveLength(21)
    await isWhole(box, 'tree')

    const onward = start(home.path, ['cp', '-r', 'box:tree', 'drop:tree'])
    await until(
      'some of it has come',
      async () => {
        const names = await readdir(join(root(drop), 'tree/sub')).catch(() => [])
        return names.length > 0 ? true : undefined
      },
      onward,
      120_000,
    )
    await onward.kill()
    await cp('box:tree', 'drop:tree')
    await isWhole(drop, 'tree')
    expect((await readdir(join(root(drop), 'tree/sub'))).sort()).toEqual(['large'])

    const back = await cp('drop:tree/sub', 'far:back')
    expect(back.copied).toMatchObject([{ bytes: large.length, sha256: sha256(large) }])
    const refused = await muster(home.path, ['cp', 'far:tree/0', 'box:/etc/0'])
    expect(refused).toMatchObject({ code: 3 })
    expect(refused.stderr).toContain('box: ')

    for (const [name, at] of [
      ['far', far],
      ['drop', drop],
    ] as const) {
      await muster(at.path, ['node', 'expose', 'file.write', '--ask', '--when', 'params.path.endsWith("/asked")'])
      const copy = start(home.path, ['cp', 'box:tree/0', `${name}:asked`])
      const question = await until(
        `${name} asks`,
        async () => (await client.hub.call(listApprovals, {})).approvals.find(({ state }) => state === 'pending'),
        copy,
      )
      await client.hub.call(approveApproval, { approval: question.id, digest: question.digest, session: false })
      await copy.ended
      expect(await readFile(join(root(at), 'asked'), 'utf8'), copy.log()).toBe('small 0')
    }
  },
  300_000,
)
