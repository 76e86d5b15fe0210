// What is shown to people works: every example in docs/workflows.md is a valid workflow, the files in examples/ run.

import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { RunEvent } from '../contract/event.ts'
import type { Run } from '../contract/run.ts'
import { checkWorkflow } from './check.ts'
import type { Dispatcher } from './dispatcher.ts'
import { executeWorkflow } from './execute.ts'
import { resolveInputs } from './inputs.ts'
import { filterNames } from './template.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const docs = readFileSync(`${root}docs/workflows.md`, 'utf8')

describe('docs/workflows.md', () => {
  const examples = [...docs.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')

  it.each(examples.map((source) => [/name: (.*)/.exec(source)?.[1], source]))('has a valid example: %s', (name, source) => {
    expect(checkWorkflow(source ?? '', 'example.yaml').name).toBe(name)
  })

  it('lists exactly the filters that there are', () => {
    const paragraph = docs.slice(docs.indexOf('`abs`'), docs.indexOf('There are no tags'))
    expect([...paragraph.matchAll(/`(\w+)`/g)].map((match) => match[1])).toEqual([...filterNames])
  })
})

/** Runs units as processes of this machine, at once. */
function processes(): Dispatcher {
  const ended = new Map<string, Promise<{ run: Run; stdout: string }>>()
  return {
    async submit({ run, host, spec }) {
      if (spec.kind !== 'command') throw new TypeError('units are commands')
      const [program = '', ...args] = spec.argv
      ended.set(
        run,
        new Promise((resolve) => {
          execFile(program, args, { cwd: spec.cwd, env: { ...process.env, ...spec.env } }, (failed, stdout) => {
            const code = failed ? Number(failed.code) || 1 : 0
            const at = new Date().toISOString()
            resolve({
              stdout,
              run: {
                id: run,
                host,
                kind: 'command',
                state: failed ? 'failed' : 'succeeded',
                title: '',
                parent: null,
                createdAt: at,
                startedAt: at,
                endedAt: at,
                pid: 1,
                exit: { code, signal: null },
                error: null,
                output: { stdout: stdout.length, stderr: 0 },
                lastEvent: 3,
                unreachableSince: null,
              },
            })
          })
        }),
      )
    },
    finished: async ({ run }) => ended.get(run) ?? Promise.reject(new Error(`${run} was not submitted`)),
    cancel: async () => {},
  }
}

async function run(file: string, inputs: Record<string, unknown>) {
  const plan = checkWorkflow(readFileSync(`${root}examples/${file}`, 'utf8'), file)
  const events: RunEvent[] = []
  const result = await executeWorkflow({
    plan,
    inputs: resolveInputs(plan, inputs),
    run: 'W',
    defaultHost: 'local',
    cwd: root,
    history: [],
    dispatcher: processes(),
    emit: async (body) => {
      events.push({ ...body, seq: events.length + 1, at: new Date().toISOString() } as RunEvent)
    },
    write: async () => {},
    signal: new AbortController().signal,
  })
  return {
    result,
    output: (step: string) =>
      events.flatMap((event) => (event.type === 'unit.ended' && event.step === step ? [event.stdout] : [])).join(''),
  }
}

describe('examples', () => {
  it.each(readdirSync(`${root}examples`).filter((name) => name.endsWith('.yaml')))('%s is a valid workflow', (name) => {
    expect(() => checkWorkflow(readFileSync(`${root}examples/${name}`, 'utf8'), name)).not.toThrow()
  })

  it("survey.yaml counts this repository's own workflow engine", { timeout: 120_000 }, async () => {
    const { result, output } = await run('survey.yaml', {
      root: 'src/workflow',
      programs: `${root}examples/programs`,
      hosts: 'a,b',
    })
    expect(result).toEqual({ state: 'succeeded' })
    const files = readdirSync(`${root}src/workflow`).length
    expect(output('survey')).toMatch(new RegExp(`^\\.: ${files} files, \\d+ code, \\d+ comment, \\d+ blank\\n$`))
    expect(output('total')).toMatch(new RegExp(`^folder +files +code +comment +blank\\n\\. +${files} .*\\ntotal +${files} `))
  })

  it('when-and-failures.yaml skips, fails and goes on as its comments say', { timeout: 120_000 }, async () => {
    const quick = await run('when-and-failures.yaml', {})
    expect(quick.result).toEqual({ state: 'succeeded' })
    expect(quick.output('missing')).toBe('not installed here - no-such-tool\n')
    expect(quick.output('details')).toBe('')
    expect(quick.output('summary')).toBe('2 found\nfor their paths: --input mode=full\n')
    const full = await run('when-and-failures.yaml', { mode: 'full' })
    expect(full.output('details')).toMatch(/^\S*sh \S*ls\n$/)
    expect(full.output('summary')).toBe('2 found\n')
  })
})
