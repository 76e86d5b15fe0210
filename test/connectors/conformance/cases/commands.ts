// The catalog and its commands: what is offered, that an invocation arrives as it was made and comes back whole, and what it does when
// its caller leaves or its link breaks.

import { writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { invokeCommand, listCommands } from '../../../../src/contract/command.ts'
import { asMusterError } from '../../../../src/contract/errors.ts'
import { getHostInfo } from '../../../../src/contract/host.ts'
import type { CaseGroup } from '../case.ts'
import { isGone } from '../process-state.ts'
import { linesIn, type Subject } from '../subject.ts'

const minuteMs = 60_000
/** What an argument may be, and a shell or a careless template would make something else of. */
const awkward = [
  '',
  ' ',
  'a b',
  '-n',
  '--',
  '"\'',
  '$(id)',
  '`id`',
  '*',
  '\\',
  'a\nb\n',
  '\t',
  'ünïcödé',
  '日本',
  '🦊',
  '\u202e',
  '{{x}}',
  ';id',
]

interface ExecResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function exec(
  { asked }: Pick<Subject, 'asked'>,
  argv: readonly string[],
  more: Record<string, unknown> = {},
  key?: string,
) {
  const input = { command: 'exec', params: { argv: [...argv], ...more }, ...(key !== undefined && { key }) }
  const { result } = await asked.call(invokeCommand, input)
  return result as ExecResult
}

const sh = (line: string) => ['/bin/sh', '-c', line]

export const commands: CaseGroup = {
  title: 'catalog and invoke',
  how: 'together',
  cases: [
    {
      name: 'its catalog is told by name, each command with its schemas and what the policy says of it',
      async check({ asked }) {
        const { commands: entries, corrupt } = await asked.call(listCommands, {})
        expect(corrupt).toEqual([])
        const names = entries.map(({ name }) => name)
        expect(names).toEqual(names.toSorted())
        expect(entries.find(({ name }) => name === 'exec')).toMatchObject({
          source: 'builtin',
          sensitive: false,
          exposure: 'allow',
          params: { type: 'object', required: ['argv'], additionalProperties: false },
          result: { type: 'object' },
        })
      },
    },
    {
      name: 'the size of its catalog is known',
      async check({ asked }) {
        const { commands: entries } = await asked.call(listCommands, {})
        expect((await asked.call(getHostInfo, {})).catalogSize).toBe(entries.length)
      },
    },
    {
      name: 'a command answers with its result',
      async check({ asked }) {
        const { result } = await asked.call(invokeCommand, { command: 'system.info' })
        expect(result).toMatchObject({ hostname: expect.any(String), cores: expect.any(Number) })
      },
    },
    {
      name: 'a program that fails is a result, with its exit code and what it wrote',
      async check(subject) {
        expect(await exec(subject, sh('echo out; echo err >&2; exit 7'))).toMatchObject({
          code: 7,
          stdout: 'out\n',
          stderr: 'err\n',
        })
      },
    },
    {
      name: 'every argument arrives as it was given, to the byte',
      async check(subject) {
        const { stdout } = await exec(subject, ['printf', '%s\\001', ...awkward])
        expect(stdout.split('\u0001').slice(0, -1)).toEqual(awkward)
      },
    },
    {
      name: 'standard input, directory and variables are given to it',
      async check(subject) {
        const line = 'cat; pwd -P; printf %s "$GIVEN"'
        const { stdout } = await exec(subject, sh(line), { stdin: 'in\n', cwd: '/', env: { GIVEN: 'a  b' } })
        expect(stdout).toBe('in\n/\na  b')
      },
    },
    {
      name: 'parameters that do not fit are refused, and nothing is run',
      async check({ asked, refuses, freshPath }) {
        const trace = freshPath('trace')
        const argv = ['touch', trace]
        for (const params of [{}, { argv: 'touch' }, { argv, more: 1 }, { argv: [...argv, 'a\0b'] }, { argv, timeoutMs: 0 }])
          await refuses('input.invalid', asked.call(invokeCommand, { command: 'exec', params }))
        expect(await linesIn(trace)).toEqual([])
      },
    },
    {
      name: 'a command that there is not is refused like one that is not exposed',
      async check({ asked, refuses }) {
        await refuses('policy.denied', asked.call(invokeCommand, { command: 'no.such' }))
      },
    },
    {
      name: 'the same with the same key is carried out once, and answered again',
      async check(subject) {
        const trace = subject.freshPath('trace')
        const argv = sh(`echo once >> ${trace}; echo $$`)
        const first = await exec(subject, argv, {}, 'key-1')
        expect(await exec(subject, argv, {}, 'key-1')).toEqual(first)
        expect(await linesIn(trace)).toEqual(['once'])
        await subject.refuses('invoke.conflict', exec(subject, sh('true'), {}, 'key-1'))
      },
    },
    {
      name: 'what a program writes is told while it runs',
      needs: ['interactive'],
      async check({ asked, freshPath }) {
        const go = freshPath('go')
        const seen: string[] = []
        const params = { argv: sh(`echo begun; while [ ! -e ${go} ]; do sleep 0.02; done; echo done >&2`) }
        const { result } = await asked.call(
          invokeCommand,
          { command: 'exec', params },
          {
            onProgress(value) {
              const { stream, text } = value as { stream: string; text: string }
              seen.push(`${stream}: ${text}`)
              if (text === 'begun\n') void writeFile(go, '')
            },
          },
        )
        expect(result).toMatchObject({ code: 0, stdout: 'begun\n', stderr: 'done\n' })
        expect(seen).toEqual(['stdout: begun\n', 'stderr: done\n'])
      },
    },
    {
      name: 'a program ends when its caller leaves',
      async check({ asked, freshPath, eventually }) {
        const pids = freshPath('pids')
        const leaving = new AbortController()
        const params = { argv: sh(`sleep 600 & echo $! >> ${pids}; echo $$ >> ${pids}; wait`) }
        const left = asked.call(invokeCommand, { command: 'exec', params }, { signal: leaving.signal }).catch(asMusterError)
        const both = await eventually('it runs', async () => ((await linesIn(pids)).length === 2 ? linesIn(pids) : undefined))
        leaving.abort()
        expect(await left).toMatchObject({ code: 'call.cancelled' })
        await eventually('all of it is gone', async () =>
          (await Promise.all(both.map((pid) => isGone(Number(pid))))).every(Boolean) ? true : undefined,
        )
      },
    },
    {
      name: 'one long command delays no other',
      needs: ['interactive'],
      async check(subject) {
        const end = subject.freshPath('end')
        const order: string[] = []
        const long = exec(subject, sh(`while [ ! -e ${end} ]; do sleep 0.05; done`)).then(() => order.push('long'))
        const short = Array.from({ length: 50 }, async () => subject.asked.call(invokeCommand, { command: 'system.info' }))
        await Promise.all(short)
        order.push('all the short ones')
        await writeFile(end, '')
        await long
        expect(order).toEqual(['all the short ones', 'long'])
      },
    },
    {
      name: 'a program is ended at its timeout, and says so',
      async check(subject) {
        expect(await exec(subject, sh('echo begun; sleep 600'), { timeoutMs: 1_500 })).toMatchObject({
          timedOut: true,
          code: null,
          signal: 'SIGTERM',
          stdout: 'begun\n',
        })
      },
    },
  ],
}

export const commandsApart: CaseGroup = {
  title: 'invoke over a link that breaks',
  how: 'in turn',
  cases: [
    {
      name: 'of a host that is away it is said at once that nothing was sent',
      needs: ['apart'],
      async check({ apart, asked, refuses, eventually, row, online }) {
        await apart().killHost()
        await eventually('it is seen to be away', async () => {
          await asked.call(getHostInfo, {}, { timeoutMs: 500 }).catch(() => undefined)
          return (await row()).status === 'offline' ? true : undefined
        })
        const begunMs = performance.now()
        await refuses('invoke.not_sent', asked.call(invokeCommand, { command: 'system.info' }))
        expect(performance.now() - begunMs).toBeLessThan(minuteMs / 4)
        apart().startHost()
        await online()
      },
    },
    {
      name: 'a link that breaks before the answer says that there is none; with its key the same is answered afterwards, and was done once',
      needs: ['apart', 'interactive'],
      async check(subject) {
        const { apart, online, eventually, freshPath } = subject
        const [trace, end] = [freshPath('trace'), freshPath('end')]
        const argv = sh(`echo once >> ${trace}; while [ ! -e ${end} ]; do sleep 0.02; done; echo answered`)
        const first = exec(subject, argv, {}, 'over-a-cut').catch(asMusterError)
        await eventually('it runs', async () => ((await linesIn(trace)).length > 0 ? true : undefined))
        apart().cut()
        expect(await first).toMatchObject({ code: 'invoke.no_answer' })
        apart().mend()
        await online()
        const again = exec(subject, argv, {}, 'over-a-cut')
        await writeFile(end, '')
        expect(await again).toMatchObject({ code: 0, stdout: 'answered\n' })
        expect(await linesIn(trace)).toEqual(['once'])
      },
    },
  ],
}
