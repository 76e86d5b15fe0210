// muster workflow run: live lines by host and unit, the result table, failures, leaving.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type TestHome, testHome } from './muster.ts'

let home: TestHome
beforeAll(async () => {
  home = await testHome()
  await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
})
afterAll(async () => {
  await home[Symbol.asyncDispose]()
})

async function file(name: string, text: string): Promise<string> {
  const path = join(home.dir, name)
  await writeFile(path, text)
  return path
}

const greet = `
name: Greet
inputs:
  who: { type: list, default: [world] }
steps:
  - id: list
    run: [echo, begun]
  - id: hello
    for_each: "{{ inputs.who }}"
    run: [echo, "hello {{ item }}"]
`

test("each unit's lines come with host and unit, then the table, then one line", async () => {
  const ended = await home.muster(['workflow', 'run', await file('greet.yaml', greet), '--input', 'who=ann,bob'])
  expect(ended.code).toBe(0)
  expect(ended.stdout).toContain('local · list | begun\n')
  expect(ended.stdout).toContain('local · hello[0] | hello ann\n')
  expect(ended.stdout).toContain('local · hello[1] | hello bob\n')
  expect(ended.stdout).toMatch(
    /\nUNIT +HOST +STATE +DURATION +ITEM\nlist +local +succeeded +\S+\nhello\[0\] +local +succeeded +\S+ +ann\nhello\[1\] +local +succeeded/,
  )
  expect(ended.stdout).toMatch(/\n\S.*: succeeded in \S+ \(run_\w+\)\n$/)
})

test('--json has the run and its units, and nothing else on stdout', async () => {
  const ended = await home.muster(['workflow', 'run', await file('greet.yaml', greet), '--json'])
  expect(JSON.parse(ended.stdout)).toMatchObject({
    run: { kind: 'workflow', state: 'succeeded' },
    units: [
      { unit: 'list', host: 'local', state: 'succeeded' },
      { unit: 'hello[0]', item: 'world', state: 'succeeded' },
    ],
  })
})

test('a failed unit fails the whole, in the table and in the exit code', async () => {
  const ended = await home.muster([
    'workflow',
    'run',
    await file('fails.yaml', 'name: Fails\nsteps:\n  - id: bad\n    run: [sh, -c, "exit 3"]\n'),
  ])
  expect(ended.code).toBe(1)
  expect(ended.stdout).toMatch(/bad +local +failed \(exit 3\)/)
  expect(ended.stderr).toMatch(/\nhint: /)
})

test('a file that is wrong is told by line and column, and nothing is started', async () => {
  const ended = await home.muster([
    'workflow',
    'run',
    await file('wrong.yaml', 'name: Wrong\nsteps:\n  - id: a\n    rum: [true]\n'),
  ])
  expect(ended.code).toBe(2)
  expect(ended.stdout).toBe('')
  expect(ended.stderr).toMatch(/^wrong\.yaml:4:\d+: .*rum[\s\S]*\nhint: /)
})

test("an input that is not the workflow's is refused", async () => {
  const ended = await home.muster(['workflow', 'run', await file('greet.yaml', greet), '--input', 'whom=x'])
  expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('whom') })
})

test('steps run where the caller stands', async () => {
  const ended = await home.muster(
    ['workflow', 'run', await file('where.yaml', 'name: Where\nsteps:\n  - id: a\n    run: [pwd]\n')],
    { cwd: '/usr' },
  )
  expect(ended.stdout).toContain('local · a | /usr\n')
})

test('Ctrl-C leaves it running; watch follows it to its end', async () => {
  const slow = await file('slow.yaml', 'name: Slow\nsteps:\n  - id: a\n    run: [sh, -c, "echo begun; sleep 3"]\n')
  const running = home.start(['workflow', 'run', slow])
  await vi.waitFor(() => expect(running.stdout()).toContain('local · a | begun'), 30_000)
  running.child.kill('SIGINT')
  const left = await running.ended
  expect(left.code).toBe(130)
  const run = /muster run cancel (run_\w+)/.exec(left.stderr)?.[1] ?? ''
  const watched = await home.muster(['run', 'watch', run])
  expect(watched.code).toBe(0)
  expect(watched.stdout).toMatch(/unit a\[0\] started on local\n[\s\S]*unit a\[0\] succeeded on local\n/)
})

test('a unit that waits for a host that is away says so to whoever watches', async () => {
  await home.muster(['node', 'enroll', 'ghost'])
  const waits = await file('waits.yaml', 'name: Waits\nsteps:\n  - id: a\n    host: ghost\n    run: [echo, hi]\n')
  const running = home.start(['workflow', 'run', waits])
  await vi.waitFor(
    () => expect(running.stderr()).toMatch(/ghost is offline: run_\w+\.a waits for it, at most 2 minutes\n/),
    30_000,
  )
  running.child.kill('SIGINT')
  const run = /muster run cancel (run_\w+)/.exec((await running.ended).stderr)?.[1] ?? ''
  expect((await home.muster(['run', 'cancel', run])).code).toBe(0)
  expect((await home.muster(['run', 'watch', run])).stdout).toContain('cancelled')
})

test('--detach prints the id', async () => {
  expect((await home.muster(['workflow', 'run', await file('greet.yaml', greet), '--detach'])).stdout).toMatch(/^run_\w+\n$/)
})

const leaves = `
name: Leaves
inputs: { glob: { default: "*.txt" }, dir: {} }
steps:
  - id: make
    for_each: [ann, bob]
    cwd: "{{ inputs.dir }}"
    env: { WHO: "{{ item }}" }
    shell: mkdir -p "$WHO"; echo "$WHO" > "$WHO/$WHO.txt"
    artifacts: ["{{ item }}/{{ inputs.glob }}"]
`

test("a step's artifacts are kept with its units, and a glob that leads away fails its unit", async () => {
  const command = ['workflow', 'run', await file('leaves.yaml', leaves), '--input', `dir=${home.dir}`]
  const ended = await home.muster([...command, '--json'])
  expect(ended.code).toBe(0)
  const { run, units } = JSON.parse(ended.stdout) as { run: { id: string }; units: { run: string }[] }
  const kept = await Promise.all(units.map(({ run }) => home.muster(['run', 'artifacts', run, '--json'])))
  expect(kept.map(({ stdout }) => JSON.parse(stdout).artifacts[0].name)).toEqual(['ann/ann.txt', 'bob/bob.txt'])

  expect((await home.muster(['run', 'artifacts', run.id])).stdout).toContain(`muster run list --parent ${run.id}`)

  const away = await home.muster([...command, '--input', 'glob=../../*'])
  expect(away.code).toBe(1)
  expect(away.stdout + away.stderr).toContain('it leads out of the working directory by ".."')
})
