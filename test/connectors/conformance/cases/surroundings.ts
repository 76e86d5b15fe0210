// What a command finds around it: its variables, its directory, and nothing that is not meant for it.

import { mkdir, realpath } from 'node:fs/promises'
import { homedir } from 'node:os'
import { expect } from 'vitest'
import type { CaseGroup } from '../case.ts'

export const surroundings: CaseGroup = {
  title: 'environment and directory',
  how: 'together',
  cases: [
    {
      name: 'the variables that it is given are set',
      async check({ outcome }) {
        expect((await outcome('echo "$ONE-$TWO"', { env: { ONE: '1', TWO: '2' } })).stdout).toBe('1-2\n')
      },
    },
    {
      name: 'a value may hold anything that a variable can',
      async check({ outcome }) {
        const strange = 'a=b "quoted" \'too\' $HOME\nnext line\tünïcödé 🙂'
        expect((await outcome('printf %s "$STRANGE"', { env: { STRANGE: strange } })).stdout).toBe(strange)
      },
    },
    {
      name: 'an empty value is a value',
      async check({ outcome }) {
        expect((await outcome('env | grep ^EMPTY=', { env: { EMPTY: '' } })).stdout).toBe('EMPTY=\n')
      },
    },
    {
      name: 'it knows its run',
      async check({ outcome }) {
        const { run, stdout } = await outcome('echo "$MUSTER_RUN"')
        expect(stdout).toBe(`${run.id}\n`)
      },
    },
    {
      name: 'it cannot be told to be another run',
      async check({ outcome }) {
        const { run, stdout } = await outcome('echo "$MUSTER_RUN"', { env: { MUSTER_RUN: 'another' } })
        expect(stdout).toBe(`${run.id}\n`)
      },
    },
    {
      name: 'it has a path and a home',
      async check({ outcome }) {
        const { stdout } = await outcome('echo "$PATH"; echo "$HOME"')
        expect(stdout).toMatch(/\/bin.*\n/)
        expect(stdout.split('\n')[1]).toBe(homedir())
      },
    },
    {
      name: "nothing of the host's own secrets is inherited",
      async check({ outcome }) {
        const { stdout } = await outcome('env')
        expect(stdout).not.toMatch(/MUSTER_TEST_SECRET|MUSTER_HOME|MUSTER_TOKEN/)
      },
    },
    {
      name: 'it runs in the directory that it is given',
      async check({ outcome, freshPath }) {
        const dir = freshPath('a directory with ünïcödé')
        await mkdir(dir)
        expect((await outcome('pwd -P', { cwd: dir })).stdout).toBe(`${await realpath(dir)}\n`)
      },
    },
    {
      name: "without one it runs in the account's home",
      async check({ outcome }) {
        expect((await outcome('pwd -P')).stdout).toBe(`${await realpath(homedir())}\n`)
      },
    },
    {
      name: 'a directory that is not there fails its run, with the reason',
      async check({ submit, ends, freshPath }) {
        const { id } = await submit(['true'], { cwd: freshPath('nowhere') })
        expect(await ends(id)).toMatchObject({ state: 'failed', error: { code: 'run.spawn_failed' } })
      },
    },
  ],
}
