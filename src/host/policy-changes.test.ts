import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type PolicyChange, policyTexts, tellPolicyChanges } from './policy-changes.ts'
import { notePolicyEdit } from './policy-edit.ts'

let dir: string
let file: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'muster-policy-'))
  file = join(dir, 'policy.toml')
})
afterEach(() => rm(dir, { recursive: true }))

async function open() {
  const changes: PolicyChange[] = []
  const telling = await tellPolicyChanges({
    file,
    seenFile: join(dir, 'seen.json'),
    onChange: async (change) => void changes.push(change),
    log: pino({ level: 'silent' }),
    everyMs: 10,
  })
  return {
    changes,
    next: (count: number) => vi.waitFor(() => expect(changes).toHaveLength(count), 30_000),
    [Symbol.asyncDispose]: () => telling[Symbol.asyncDispose](),
  }
}

const shown = (
  { added, removed, ...rest }: PolicyChange | undefined = { by: '', account: null, readable: true, added: [], removed: [] },
) => ({
  ...rest,
  added: policyTexts(added),
  removed: policyTexts(removed),
})

const rule = (command: string, more = '') => `[[rule]]\neffect = "allow"\ncommand = "${command}"\n${more}`

test('tells what was added and taken away, by whose command or by hand, and without the conditions', async () => {
  await using it = await open()
  const text = rule('date', 'when = "params.password == \'swordfish\'"\n')
  notePolicyEdit(file, text, { command: 'muster node expose', account: 'ci' })
  await writeFile(file, text)
  await it.next(1)
  await writeFile(file, `allow = ["runs"]\n`)
  await it.next(2)
  await rm(file)
  await it.next(3)
  expect(it.changes.map(shown)).toEqual([
    { by: 'muster node expose', account: 'ci', readable: true, added: ['allow date on a condition'], removed: [] },
    { by: 'hand', account: null, readable: true, added: ['allow runs'], removed: ['allow date on a condition'] },
    { by: 'hand', account: null, readable: true, added: [], removed: ['allow runs'] },
  ])
  expect(JSON.stringify(it.changes)).not.toContain('swordfish')
})

test('tells of one that cannot be read, and of its being mended', async () => {
  await writeFile(file, rule('date'))
  await using it = await open()
  await writeFile(file, 'allow = [')
  await it.next(1)
  await writeFile(file, rule('date'))
  await it.next(2)
  expect(it.changes.map(shown)).toEqual([
    { by: 'hand', account: null, readable: false, added: [], removed: ['allow date'] },
    { by: 'hand', account: null, readable: true, added: ['allow date'], removed: [] },
  ])
})

test('tells of a file that comes and goes, however long it was there or away', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  try {
    await using it = await open()
    const lookOften = () => vi.advanceTimersByTimeAsync(100)
    for (let n = 0; n < 2; n++) {
      await lookOften()
      await writeFile(file, rule('date'))
      await lookOften()
      await rm(file)
      await lookOften()
    }
    expect(it.changes.map(({ added }) => added.length)).toEqual([1, 0, 1, 0])
  } finally {
    vi.useRealTimers()
  }
})

test('tells once of what was changed while nobody looked, and nothing of what is as it was', async () => {
  await writeFile(file, rule('date'))
  {
    await using first = await open()
    expect(first.changes).toEqual([])
  }
  await writeFile(file, rule('uptime'))
  {
    await using second = await open()
    expect(second.changes.map(shown)).toMatchObject([{ added: ['allow uptime'], removed: ['allow date'] }])
  }
  await using third = await open()
  expect(third.changes).toEqual([])
})

test("what is said of one hub is marked as none of the others' business", async () => {
  await using it = await open()
  await writeFile(file, `${rule('date', `to = "${'a'.repeat(32)}"\n`)}${rule('uptime')}[files]\nroots = ["/srv/secret"]\n`)
  await it.next(1)
  const [change] = it.changes
  expect(policyTexts(change?.added.filter(({ isPublic }) => isPublic) ?? [])).toEqual(['allow uptime'])
  expect(change?.added).toHaveLength(3)
})
