// Somebody owns the hub: its key, its store, its tokens, its address. On a paired host he achieves what that host's policy exposes, and
// nothing else. Everything that he tries leaves a file behind if it succeeds; the table of what was tried is printed.

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { asMusterError, hasCode } from '../../src/contract/errors.ts'
import { shutdownHost } from '../../src/contract/host.ts'
import type { BytesOperation, CallOperation, ItemsOperation, Operation, UploadOperation } from '../../src/contract/operation.ts'
import { hostOperations } from '../../src/contract/operations.ts'
import { callProc } from '../../src/contract/proc.ts'
import { getRun, listRuns, startRun } from '../../src/contract/run.ts'
import { loadIdentity } from '../../src/wire/identity.ts'
import type { Peer } from '../../src/wire/peer.ts'
import { joinNode, makeHome, muster, serveHub, until } from '../resources/muster.ts'
import { takeOver } from './false-hub.ts'

const deadline = { timeoutMs: 60_000 }
it('a hub that was taken over begins on a host exactly what that host exposes to it', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  const marks = await mkdtemp(join(tmpdir(), 'muster-marks-'))
  try {
    const taken = await serveHub(home)
    const { fingerprint: hubKey } = await loadIdentity(join(home.path, 'hub', 'key'))
    await mkdir(join(nodeHome.path, 'node'), { mode: 0o700 })
    await writeFile(
      join(nodeHome.path, 'node', 'policy.toml'),
      `[[rule]]
effect = "allow"
command = "runs"
to = "${hubKey}"
when = 'params.kind == "command" && params.argv == ["/usr/bin/touch", "${marks}/allowed"]'

[[rule]]
effect = "allow"
command = "*"
to = "${'0'.repeat(32)}"
`,
    )
    await using joined = await joinNode(taken, 'box', nodeHome, { allow: [] })
    await taken.kill()
    await using hub = await takeOver(home.path, taken.url, { id: joined.host, name: 'box' })
    const { peer } = hub

    const tally = new Map<string, Map<string, number>>()
    let tries = 0
    const attempt = async (operation: Operation, input: unknown, as = operation.name) => {
      tries++
      const code = await outcomeOf(peer, operation, input)
      const seen = tally.get(as) ?? new Map<string, number>()
      tally.set(as, seen.set(code, (seen.get(code) ?? 0) + 1))
    }

    const inputs = everyInput(marks, hubKey)
    for (const operation of [...hostOperations.filter(({ name }) => name !== shutdownHost.name), ...unknownOperations])
      for (const input of inputs) await attempt(operation, input)
    for (const { name } of hostOperations.filter((one) => one.kind === 'call' && one.name !== shutdownHost.name))
      for (const params of inputs) {
        const once = { proc: 'service', method: name, params }
        await attempt(callProc, once, `service: ${name}`)
        await attempt(callProc, { proc: 'service', method: 'proc.call', params: once }, `service: ${name}`)
      }

    expect(await readdir(marks)).toEqual([])
    expect((await readdir(join(nodeHome.path, 'host', 'procs')).catch(() => [])).length).toBe(0)
    expect((await peer.call(listRuns, {}, deadline)).runs).toEqual([])

    // And what is exposed to it, it has.
    await peer.call(startRun, { run: 'allowed', spec: command('/usr/bin/touch', `${marks}/allowed`) }, deadline)
    await until('it has run', async () => ((await readdir(marks)).includes('allowed') ? true : undefined))
    for (const spec of [
      command('/usr/bin/touch', `${marks}/allowed`, `${marks}/more`),
      { ...command('/usr/bin/touch', `${marks}/allowed`), argv: ['touch', `${marks}/allowed`] },
    ])
      await expect(peer.call(startRun, { run: 'more', spec }, deadline)).rejects.toMatchObject({ code: 'policy.denied' })
    expect(await readdir(marks)).toEqual(['allowed'])

    // What needs no permission, as docs/security.md says: it ends the host, and begins nothing.
    await attempt(shutdownHost, {})

    console.log(`${tries} tries by a hub that was taken over, with its own key; what each operation answered:\n${table(tally)}`)
    // No refusal is an accident.
    for (const codes of tally.values()) expect([...codes.keys()]).not.toContain('internal')
    expect(tally.get('run.start')?.get('answered') ?? 0).toBe(0)
    expect(tally.get('proc.apply')?.get('answered') ?? 0).toBe(0)
    expect(tally.get('run.start')?.get('policy.denied')).toBeGreaterThan(0)
    expect(tally.get('service: run.start')?.get('policy.denied')).toBeGreaterThan(0)
    expect(tally.get('proc.apply')?.get('policy.denied')).toBeGreaterThan(0)
  } finally {
    await rm(marks, { recursive: true, force: true })
  }
})

it('what the policy no longer exposes is refused from the next question, without restart, and what runs goes on', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  const taken = await serveHub(home)
  await using joined = await joinNode(taken, 'box', nodeHome, { allow: [] })
  await taken.kill()
  await using hub = await takeOver(home.path, taken.url, { id: joined.host, name: 'box' })
  const start = (run: string) => hub.peer.call(startRun, { run, spec: command('/bin/sleep', '600') }, deadline)
  const policy = join(nodeHome.path, 'node', 'policy.toml')

  await expect(start('before')).rejects.toMatchObject({ code: 'policy.denied' })
  expect(await muster(nodeHome.path, ['node', 'expose', 'runs'])).toMatchObject({ code: 0, stdout: 'allow runs\n' })
  expect(await start('exposed')).toMatchObject({ id: 'exposed' })
  expect(await muster(nodeHome.path, ['node', 'hide', 'runs'])).toMatchObject({ code: 0, stdout: 'deny runs\n' })
  await expect(start('hidden')).rejects.toMatchObject({ code: 'policy.denied' })
  await writeFile(policy, 'allow = ["runs"')
  await expect(start('broken')).rejects.toMatchObject({
    code: 'policy.unreadable',
    message: expect.stringMatching(/policy\.toml cannot be read: line 1, column \d+: not TOML/),
  })
  await until('what was let in runs on', async () =>
    (await hub.peer.call(getRun, { run: 'exposed' }, deadline)).state === 'running' ? true : undefined,
  )
  await writeFile(policy, 'allow = ["runs"]\n')
  expect(await start('mended')).toMatchObject({ id: 'mended' })
})

const command = (...argv: string[]) => ({ kind: 'command' as const, argv })

/** What might make any operation do something, and what might make a host believe that it may. */
const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

function everyInput(marks: string, hubKey: string): Record<string, unknown>[] {
  const touch = (name: string) => ['/usr/bin/touch', join(marks, name)]
  const plain: Record<string, unknown>[] = [
    {},
    { run: 'forged' },
    { run: 'forged', spec: { kind: 'command', argv: touch('run') } },
    { run: 'forged', spec: { kind: 'command', argv: ['/bin/sh', '-c', `touch ${marks}/shell`] } },
    {
      run: 'forged',
      spec: { kind: 'workflow', file: 'w.yaml', source: `name: w\nsteps:\n  - id: a\n    run: touch ${marks}/workflow\n` },
    },
    { run: '../../forged', spec: { kind: 'command', argv: touch('path') } },
    { run: 'forged', fence: 9_999, parent: { run: 'r', step: 's' }, spec: { kind: 'command', argv: touch('fence') } },
    { proc: 'forged', spec: { argv: touch('proc') } },
    { proc: 'service', spec: { argv: touch('service') } },
    { proc: 'local', method: 'run.start', params: { run: 'forged', spec: { kind: 'command', argv: touch('local') } } },
    { run: 'forged', artifact: 'x', name: '../../../etc/passwd' },
    { approval: 'forged', digest: '0'.repeat(64), outcome: 'approved' },
    ...[join(marks, 'copy'), 'copy', '', '../../node/policy.toml', '/etc/passwd'].flatMap((path) => [
      { path },
      { path, for: 'write' },
      { path, version: '0-0-0-0' },
      { path, names: ['key', 'policy.toml'] },
      { path, transfer: '0'.repeat(32) },
      { path, transfer: '0'.repeat(32), offset: 0 },
      { path, replace: 'files' },
      { path, transfer: '0'.repeat(32), bytes: 0, sha256: emptySha256, mode: 0o777, modifiedAt: '2026-01-01T00:00:00Z' },
    ]),
    ...[
      'exec',
      'shell',
      'file.write',
      'fleet.enroll',
      'undeclared',
      'EXEC',
      'exec\0',
      'ехес',
      '__proto__',
      'constructor',
      '*',
    ].map((name) => ({
      command: name,
      params: { argv: touch('invoke'), script: `touch ${marks}/script`, path: join(marks, 'file'), text: 'x', content: 'x' },
    })),
  ]
  const injected: Record<string, unknown>[] = [
    {},
    { approved: true, approvalDecision: 'allow-always', outcome: 'approved' },
    { principal: { kind: 'self', id: 'hub', role: 'operator', scopes: ['read', 'operate', 'admin'] } },
    { role: 'operator', scopes: ['admin'], hub: '0'.repeat(32), to: '0'.repeat(32) },
    { session: hubKey, policy: { allow: 'everything' }, rules: [{ effect: 'allow', command: '*' }], sensitive: false },
  ]
  return plain.flatMap((input) => injected.map((more) => ({ ...input, ...more })))
}

const unknownOperations = [
  'policy.set',
  'policy.expose',
  'hub.exec',
  'approval.ask',
  '__proto__',
  'constructor',
  'toString',
  'RUN.START',
  'run.start\0',
].map(
  (name): CallOperation => ({
    kind: 'call',
    name,
    summary: '',
    input: z.object({}),
    output: z.unknown(),
    errors: [],
    scope: 'operate',
    deferrable: false,
    http: 'POST /x',
  }),
)

/** `answered`, or the code of the refusal. */
async function outcomeOf(peer: Peer, operation: Operation, input: unknown): Promise<string> {
  try {
    switch (operation.kind) {
      case 'call':
        await peer.call(operation as CallOperation, input as never, deadline)
        break
      case 'upload':
        await peer.upload(operation as UploadOperation, input as never, nothing, deadline)
        break
      case 'items':
        for await (const _ of peer.items(operation as ItemsOperation, input as never, deadline)) break
        break
      case 'bytes':
        for await (const _ of peer.bytes(operation as BytesOperation, input as never, deadline)) break
    }
    return 'answered'
  } catch (error) {
    if (hasCode(error, 'wire.closed')) throw error
    return asMusterError(error).code
  }
}

function table(tally: ReadonlyMap<string, ReadonlyMap<string, number>>): string {
  return [...tally]
    .map(([name, codes]) => `  ${name}: ${[...codes].map(([code, count]) => `${code} ${count}`).join(', ')}`)
    .join('\n')
}

const nothing: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} }
