// Files that a command leaves behind: kept with its run however it ended, told of with its end, and read whole, from wherever they are.

import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { expect } from 'vitest'
import { listArtifacts, readArtifact } from '../../../../src/contract/artifact.ts'
import { cancelRun } from '../../../../src/contract/run.ts'
import type { Case, CaseGroup } from '../case.ts'
import { linesIn, type Subject } from '../subject.ts'

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')

/** A directory for the command to work in. */
async function place({ freshPath }: Subject): Promise<string> {
  const cwd = freshPath('work')
  await mkdir(cwd)
  return cwd
}

/** Its artifacts, once all of them can be read. */
function allHere({ asked, eventually }: Subject, run: string) {
  return eventually(`the artifacts of ${run} are here`, async () => {
    const list = await asked.call(listArtifacts, { run })
    return list.artifacts.every(({ here }) => here) ? list : undefined
  })
}

async function contentOf({ asked }: Subject, run: string, name: string, part: { offset?: number; limit?: number } = {}) {
  const pieces: Uint8Array[] = []
  for await (const piece of asked.bytes(readArtifact, { run, name, ...part })) pieces.push(piece)
  return Buffer.concat(pieces)
}

export const artifacts: CaseGroup = {
  title: 'artifacts',
  how: 'together',
  cases: [
    {
      name: 'what its globs name is kept, by name, with size and SHA-256',
      async check(subject) {
        const cwd = await place(subject)
        const line =
          'mkdir -p out/deep; printf one > out/a.tar; printf three > out/deep/b.tar; chmod 640 out/a.tar; echo x > other'
        const { run } = await subject.outcome(line, { cwd, artifacts: ['out/**/*.tar', 'out/*.tar'] })
        expect(run.state).toBe('succeeded')
        const { artifacts, refused } = await allHere(subject, run.id)
        expect(artifacts.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 }))).toEqual([
          { name: 'out/a.tar', bytes: 3, sha256: sha256('one') },
          { name: 'out/deep/b.tar', bytes: 5, sha256: sha256('three') },
        ])
        expect(artifacts[0]).toMatchObject({ mode: 0o640, mtime: expect.any(String) })
        expect(refused).toEqual([])
        expect((await contentOf(subject, run.id, 'out/a.tar')).toString()).toBe('one')
        expect((await contentOf(subject, run.id, 'out/deep/b.tar')).toString()).toBe('three')
      },
    },
    {
      name: 'they are kept as they were at its end, whatever becomes of the files',
      async check(subject) {
        const cwd = await place(subject)
        const { run } = await subject.outcome('echo first > f', { cwd, artifacts: ['f'] })
        await subject.outcome('echo second > f; rm f', { cwd })
        await allHere(subject, run.id)
        expect((await contentOf(subject, run.id, 'f')).toString()).toBe('first\n')
      },
    },
    {
      name: 'a part of one is read from an offset, and up to a limit',
      async check(subject) {
        const cwd = await place(subject)
        const { run } = await subject.outcome('printf 0123456789 > digits; : > empty', { cwd, artifacts: ['*'] })
        await allHere(subject, run.id)
        expect((await contentOf(subject, run.id, 'digits', { offset: 3 })).toString()).toBe('3456789')
        expect((await contentOf(subject, run.id, 'digits', { offset: 3, limit: 4 })).toString()).toBe('3456')
        expect((await contentOf(subject, run.id, 'empty')).toString()).toBe('')
      },
    },
    {
      name: 'a run that failed has them too, and its exit is its own',
      async check(subject) {
        const cwd = await place(subject)
        const { run } = await subject.outcome('echo why > report; exit 7', { cwd, artifacts: ['report'] })
        expect(run).toMatchObject({ state: 'failed', exit: { code: 7, signal: null } })
        await allHere(subject, run.id)
        expect((await contentOf(subject, run.id, 'report')).toString()).toBe('why\n')
      },
    },
    {
      name: 'a run that was cancelled has them too',
      async check(subject) {
        const cwd = await place(subject)
        const { id } = await subject.shell('echo so far > report; echo on > begun; exec sleep 60', { cwd, artifacts: ['report'] })
        await subject.eventually('it has begun', async () => (await linesIn(`${cwd}/begun`))[0])
        await subject.asked.call(cancelRun, { run: id })
        expect((await subject.ends(id)).state).toBe('cancelled')
        await allHere(subject, id)
        expect((await contentOf(subject, id, 'report')).toString()).toBe('so far\n')
      },
    },
    {
      name: 'a run that timed out has them too',
      async check(subject) {
        const cwd = await place(subject)
        const line = 'echo so far > report; exec sleep 60'
        const { id } = await subject.shell(line, { cwd, artifacts: ['report'], timeoutMs: 5_000 })
        expect((await subject.ends(id)).state).toBe('timed_out')
        await allHere(subject, id)
        expect((await contentOf(subject, id, 'report')).toString()).toBe('so far\n')
      },
    },
    {
      name: 'what is not kept says why, and changes nothing of how the run ended',
      async check(subject) {
        const cwd = await place(subject)
        const line = 'ln -s /etc/passwd link; mkfifo pipe; mkdir dir; ln -s /etc away; echo ok > kept'
        const { run } = await subject.outcome(line, { cwd, artifacts: ['*', 'none/*', 'dir', 'away/passwd'] })
        expect(run).toMatchObject({ state: 'succeeded', exit: { code: 0 }, error: null })
        const { artifacts, refused } = await allHere(subject, run.id)
        expect(artifacts.map(({ name }) => name)).toEqual(['kept'])
        expect(Object.fromEntries(refused.map(({ name, reason }) => [name, reason]))).toEqual({
          link: 'it is a link, and links are not followed',
          away: 'it is a link, and links are not followed',
          'away/passwd': 'its path leads through a link, and links are not followed',
          pipe: 'it is a FIFO, and only regular files are kept',
          dir: 'it is a directory; "dir/**" names the files in it',
          'none/*': 'no file matches it',
        })
      },
    },
    {
      name: 'each is told of once, in order, after all output and before the end',
      async check(subject) {
        const cwd = await place(subject)
        const { run } = await subject.outcome('echo a > a; echo b > b; exit 3', { cwd, artifacts: ['b', 'a', '?', 'gone'] })
        const events = await subject.events(run.id)
        expect(events.map((event) => ('name' in event ? `${event.type} ${event.name}` : event.type)).slice(-4)).toEqual([
          'artifact.kept a',
          'artifact.kept b',
          'artifact.refused gone',
          'state',
        ])
        expect(events.filter(({ type }) => type.startsWith('artifact.'))).toHaveLength(3)
        expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1))
        expect(events.at(-1)).toMatchObject({ state: 'failed' })
      },
    },
    {
      name: 'a run that names none has none, and one that never ran neither',
      async check(subject) {
        const cwd = await place(subject)
        const { run } = await subject.outcome('echo a > a', { cwd })
        expect(await subject.asked.call(listArtifacts, { run: run.id })).toEqual({ artifacts: [], refused: [] })
        const { id } = await subject.submit([`${cwd}/no-such-program`], { cwd, artifacts: ['a'] })
        await subject.ends(id)
        expect(await subject.asked.call(listArtifacts, { run: id })).toEqual({ artifacts: [], refused: [] })
      },
    },
    {
      name: 'one that it has not is an error, and so is a run that is not there',
      async check(subject) {
        const cwd = await place(subject)
        const { run } = await subject.outcome('echo a > a', { cwd, artifacts: ['a'] })
        await subject.refuses('artifact.unknown', contentOf(subject, run.id, 'b'))
        await subject.refuses('input.invalid', contentOf(subject, run.id, '../a'))
        await subject.refuses('run.unknown', subject.asked.call(listArtifacts, { run: 'run_none' }))
        await subject.refuses('run.unknown', contentOf(subject, 'run_none', 'a'))
      },
    },
    {
      name: 'a glob that leads out of the working directory is refused before anything runs',
      async check(subject) {
        const cwd = await place(subject)
        for (const glob of ['/etc/passwd', '../*', 'a/../../b', '{a,..}/b', 'a\0b', ''])
          await subject.refuses('input.invalid', subject.shell('echo ran > ran', { cwd, artifacts: [glob] }))
        await subject.refuses('input.invalid', subject.shell('echo ran > ran', { cwd, artifacts: Array(65).fill('a') }))
        expect(await linesIn(`${cwd}/ran`)).toEqual([])
      },
    },
    {
      name: 'names of other scripts, with spaces and with signs, arrive as they are',
      async check(subject) {
        const cwd = await place(subject)
        const names = ['  spaced  name ', '-rf', '100%?&=#+.txt', '[x]{y}*', 'Ünïcødé', '日本語/テスト', '…'].sort()
        const line = 'mkdir 日本語; for name in "$@"; do printf %s "$name" > "./$name"; done'
        const { id } = await subject.submit(['/bin/sh', '-c', line, 'sh', ...names], { cwd, artifacts: ['**'] })
        await subject.ends(id)
        const { artifacts } = await allHere(subject, id)
        expect(artifacts.map(({ name }) => name)).toEqual(names)
        for (const name of names) expect((await contentOf(subject, id, name)).toString()).toBe(name)
      },
    },
    {
      name: 'twenty runs at once each have their own',
      async check(subject) {
        const cwd = await place(subject)
        const runs = await Promise.all(
          Array.from({ length: 20 }, (_, n) => subject.shell(`echo ${n} > ${n}`, { cwd, artifacts: [String(n)] })),
        )
        for (const [n, { id }] of runs.entries()) {
          await subject.ends(id)
          const { artifacts } = await allHere(subject, id)
          expect(artifacts.map(({ name }) => name)).toEqual([String(n)])
          expect((await contentOf(subject, id, String(n))).toString()).toBe(`${n}\n`)
        }
      },
    },
    {
      name: 'one of a hundred megabytes arrives whole',
      async check(subject) {
        const cwd = await place(subject)
        const { run, stdout } = await subject.outcome(
          'head -c 104857600 /dev/urandom > noise; sha256sum < noise; echo small > small',
          { cwd, artifacts: ['noise', 'small'] },
        )
        const { artifacts } = await allHere(subject, run.id)
        expect(artifacts[0]).toMatchObject({ name: 'noise', bytes: 104_857_600, sha256: stdout.slice(0, 64) })
        const hash = createHash('sha256')
        for await (const piece of subject.asked.bytes(readArtifact, { run: run.id, name: 'noise' })) hash.update(piece)
        expect(hash.digest('hex')).toBe(stdout.slice(0, 64))
      },
    },
  ],
}

const restarts = {
  'the host': ({ fixture }: Subject) => fixture.restartHost(),
  'the hub': ({ fixture }: Subject) => fixture.restartHub(),
}

export const keptOverRestarts: CaseGroup = {
  title: 'artifacts over restarts',
  how: 'in turn',
  cases: [
    ...Object.entries(restarts).map(
      ([what, restart]): Case => ({
        name: `${what} is killed while they are collected and copied: each is told once, and arrives whole`,
        async check(subject) {
          const cwd = await place(subject)
          const line = 'head -c 33554432 /dev/urandom > noise; echo small > small; sha256sum < noise > sum; echo on > begun'
          const { id } = await subject.shell(line, { cwd, artifacts: ['noise', 'small', 'sum', 'none'] })
          await subject.eventually('it is about to end', async () => (await linesIn(`${cwd}/begun`))[0])
          await restart(subject)
          await subject.online()
          expect(await subject.ends(id)).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
          const { artifacts } = await allHere(subject, id)
          expect(artifacts.map(({ name }) => name)).toEqual(['noise', 'small', 'sum'])
          const hash = createHash('sha256')
            .update(await contentOf(subject, id, 'noise'))
            .digest('hex')
          expect(hash).toBe(artifacts[0]?.sha256)
          expect((await contentOf(subject, id, 'sum')).toString()).toContain(hash)
          const told = (await subject.events(id)).flatMap((event) => ('name' in event ? [event.name] : []))
          expect(told).toEqual(['noise', 'small', 'sum', 'none'])
        },
      }),
    ),
    {
      name: 'they are read while the host is away',
      needs: ['apart', 'mirrored'],
      async check(subject) {
        const cwd = await place(subject)
        const { run } = await subject.outcome('echo kept > f', { cwd, artifacts: ['f', 'gone'] })
        const before = await allHere(subject, run.id)
        await subject.apart().killHost()
        try {
          await subject.eventually('it is away', async () => ((await subject.row()).status === 'online' ? undefined : true))
          expect(await subject.asked.call(listArtifacts, { run: run.id })).toEqual(before)
          expect((await contentOf(subject, run.id, 'f')).toString()).toBe('kept\n')
        } finally {
          subject.apart().startHost()
        }
      },
    },
  ],
}
