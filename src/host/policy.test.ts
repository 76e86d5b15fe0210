import { chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type HostPolicy, openPolicy, traceFor } from './policy.ts'
import { openPolicyFile, policyFileOf } from './policy-file.ts'

const hub = (key: string) => ({ kind: 'hub', id: key.repeat(32), role: 'hub' }) as const
const ours = { kind: 'self', id: 'hub', role: 'operator' } as const

let file: string
beforeEach(async () => {
  const home = await mkdtemp(join(tmpdir(), 'muster-policy-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  await mkdir(join(home, 'node'))
  file = policyFileOf(home)
})

const opened = (given: Partial<HostPolicy> = {}) => openPolicy({ allow: [], file, ...given })
const effectOf = (policy: ReturnType<typeof openPolicy>, command: string, principal: Parameters<typeof traceFor>[0] = hub('a')) =>
  policy.decide({ command, principal }).effect

test('nothing is allowed that is not named', () => {
  const policy = opened({ allow: ['runs'] })
  expect([effectOf(policy, 'runs'), effectOf(policy, 'procs'), effectOf(policy, 'exec')]).toEqual(['allow', 'deny', 'deny'])
  expect(policy.allowedFamilies(hub('a'))).toEqual(['runs'])
  policy.requireAllowed({ command: 'runs', principal: hub('a') })
  expect(() => policy.requireAllowed({ command: 'procs', principal: hub('a') })).toThrow(
    'The host does not allow its hub "procs".',
  )
})

test('what is begun without waiting cannot be asked about', async () => {
  await writeFile(file, '[[rule]]\neffect = "ask"\ncommand = "*"\n')
  expect(() => opened().requireAllowed({ command: 'runs', principal: hub('a') })).toThrow(
    expect.objectContaining({ code: 'policy.asks' }),
  )
})

describe('its file', () => {
  test('counts beside the command line, and from the next question, whatever happens to it', async () => {
    const policy = opened({ allow: ['runs'] })
    expect(effectOf(policy, 'exec')).toBe('deny')
    await writeFile(file, 'allow = ["exec"]\n')
    expect(effectOf(policy, 'exec')).toBe('allow')
    // As an editor does: the same size, at the same place.
    await writeFile(file, 'allow = ["date"]\n')
    expect([effectOf(policy, 'exec'), effectOf(policy, 'date'), effectOf(policy, 'runs')]).toEqual(['deny', 'allow', 'allow'])
    await writeFile(`${file}.new`, '[[rule]]\neffect = "deny"\ncommand = "*"\n')
    await rename(`${file}.new`, file)
    expect(effectOf(policy, 'runs')).toBe('deny')
  })

  test.each<[string, () => Promise<unknown>]>([
    ['taken away', () => rm(file)],
    ['emptied', () => writeFile(file, '')],
  ])('that was %s is waited for: an editor may be about to write it anew', async (_, go) => {
    let now = 0
    await writeFile(file, '[[rule]]\neffect = "deny"\ncommand = "exec"\n')
    const reader = openPolicyFile(file, () => now)
    expect(reader.read()?.rule).toHaveLength(1)
    await go()
    for (now of [0, 1_000, 2_000]) expect(() => reader.read()).toThrow(expect.objectContaining({ code: 'policy.unreadable' }))
    now = 3_000
    expect(reader.read()?.rule ?? []).toEqual([])
    await writeFile(file, 'allow = ["exec"]\n')
    expect(reader.read()?.allow).toEqual(['exec'])
    await go()
    expect(() => reader.read()).toThrow(expect.objectContaining({ code: 'policy.unreadable' }))
  })

  test('is what there is to go by from when it is there, where everything was allowed without it', async () => {
    const policy = opened({ withoutFile: 'everything' })
    expect(effectOf(policy, 'exec')).toBe('allow')
    await writeFile(file, 'allow = ["runs"]\n')
    expect([effectOf(policy, 'exec'), effectOf(policy, 'runs')]).toEqual(['deny', 'allow'])
  })

  test('narrows what its own hub may, and need not widen it', async () => {
    const policy = opened({ allow: 'everything' })
    expect(effectOf(policy, 'exec', ours)).toBe('allow')
    await writeFile(file, '[[rule]]\neffect = "deny"\ncommand = "exec"\n')
    expect([effectOf(policy, 'exec', ours), effectOf(policy, 'date', ours)]).toEqual(['deny', 'allow'])
  })

  test('may be about one hub, and no other is told of that', async () => {
    await writeFile(file, `[[rule]]\neffect = "allow"\ncommand = "exec"\nto = "${'a'.repeat(32)}"\n`)
    const policy = opened()
    expect([effectOf(policy, 'exec', hub('a')), effectOf(policy, 'exec', hub('b')), effectOf(policy, 'exec', ours)]).toEqual([
      'allow',
      'deny',
      'deny',
    ])
    const told = (key: string) => traceFor(hub(key), policy.decide({ command: 'exec', principal: hub(key) })).trace[0]?.rules
    expect([told('a')?.length, told('b')?.length]).toEqual([1, 0])
  })

  test.each<[string, string, RegExp]>([
    ['no TOML', 'allow = ["runs"\nx', /line 2, column \d+: not TOML/],
    ['a word that nobody knows', 'alow = ["runs"]\n', /alow/],
    ['a pattern that is none', 'allow = ["file.**"]\n', /allow\.0: a pattern is the name of a command/],
    ['a rule without an effect', '[[rule]]\ncommand = "exec"\n', /rule\.1 \(line 1\)\.effect/],
    [
      'a key that is none',
      '# two\n[[rule]]\neffect = "deny"\ncommand = "exec"\nto = "box"\n',
      /rule\.1 \(line 2\)\.to: a hub's key/,
    ],
    [
      'a condition that cannot be parsed',
      '[[rule]]\neffect = "allow"\ncommand = "exec"\nwhen = "params.("\n',
      /rule\.1 \(line 1\)\.when: /,
    ],
    [
      'a condition about what there is not',
      '[[rule]]\neffect = "allow"\ncommand = "exec"\nwhen = "env.HOME == \'\'"\n',
      /when: Unknown variable: env/,
    ],
    [
      'a condition that is no condition',
      '[[rule]]\neffect = "allow"\ncommand = "exec"\nwhen = "1 + 1"\n',
      /when: it must be true or false, and this is a int/,
    ],
  ])('with %s refuses everything, and says where', async (_, text, says) => {
    const policy = opened({ allow: ['runs'], withoutFile: 'everything' })
    await writeFile(file, text)
    expect(() => effectOf(policy, 'runs')).toThrow(
      expect.objectContaining({ code: 'policy.unreadable', message: expect.stringMatching(says) }),
    )
    expect(policy.allowedFamilies(hub('a'))).toEqual([])
    await writeFile(file, 'allow = ["exec"]\n')
    expect(effectOf(policy, 'exec')).toBe('allow')
  })

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['a directory', () => mkdir(file), /it is no file/],
    ['a link', async () => symlink('/dev/null', file), /it is a link/],
    [
      'open to others',
      () => writeFile(file, 'allow = ["*"]\n').then(() => chmod(file, 0o666)),
      /other accounts may write to it: `chmod go-w` it/,
    ],
    ['larger than anybody writes', () => writeFile(file, '#'.repeat(70_000)), /larger than 64 KiB/],
    ['not UTF-8', () => writeFile(file, Buffer.from([0x61, 0xff, 0xfe])), /not UTF-8/],
  ])('that is %s refuses everything', async (_, make, says) => {
    await make()
    expect(() => effectOf(opened({ allow: ['runs'] }), 'runs')).toThrow(says)
  })

  test('names where files may be read and written', async () => {
    const policy = opened()
    expect(policy.fileRoots()).toEqual([])
    await writeFile(file, '[files]\nroots = ["/srv/data"]\n')
    expect(policy.fileRoots()).toEqual(['/srv/data'])
  })
})

test('a rule that means one thing alone, as docs/policy.md writes it, lets nothing else through', async () => {
  const docs = await readFile(new URL('../../docs/policy.md', import.meta.url), 'utf8')
  const when = /^when = 'params\.argv == .*$/m.exec(docs)?.[0]
  await writeFile(file, `[[rule]]\neffect = "allow"\ncommand = "exec"\n${when}\n`)
  const policy = opened()
  const given = { argv: ['/usr/bin/git', '-C', '/srv/site', 'pull'], env: {}, timeoutMs: 60_000 }
  const effect = (more: object) => policy.decide({ command: 'exec', params: { ...given, ...more }, principal: hub('a') }).effect
  expect(effect({})).toBe('allow')
  for (const more of [{ env: { PATH: '/tmp' } }, { cwd: '/tmp' }, { stdin: '' }, { argv: ['/usr/bin/git'] }, { env: null }])
    expect(effect(more)).toBe('deny')
})

test('a hub is not told by a trace whether there is what it may not have', async () => {
  const policy = openPolicy({ allow: ['known'], file }, (command) => ({ sensitive: command.startsWith('known') }))
  const told = (command: string) => {
    const { trace, by } = traceFor(hub('a'), policy.decide({ command, principal: hub('a') }))
    return JSON.stringify({ trace, by }).replaceAll(command, 'COMMAND')
  }
  expect(told('known.to-nobody')).toBe(told('no.such'))
  expect(told('known')).toContain('being sensitive')
  expect(traceFor(ours, policy.decide({ command: 'known.to-nobody', principal: ours })).trace).toHaveLength(2)
})

test('what is sensitive asks, and what is hidden wants to be named, whoever is allowed everything', async () => {
  const nature = { shell: { sensitive: true }, 'fleet.enroll': { sensitive: false, hidden: true } }
  const policy = openPolicy(
    { allow: 'everything', file },
    (command) => nature[command as keyof typeof nature] ?? { sensitive: false },
  )
  expect(['shell', 'exec', 'fleet.enroll'].map((command) => effectOf(policy, command, ours))).toEqual(['ask', 'allow', 'deny'])
  await writeFile(file, '[[rule]]\neffect = "allow"\ncommand = "fleet.enroll"\n')
  expect(effectOf(policy, 'fleet.enroll', ours)).toBe('allow')
})
