// Many at once: none is lost, none starts twice, none reads another's.

import { expect } from 'vitest'
import { readOutput } from '../../../../src/contract/output.ts'
import type { CaseGroup } from '../case.ts'
import { linesIn } from '../subject.ts'

export const crowd: CaseGroup = {
  title: 'many at once',
  how: 'together',
  cases: [
    {
      name: 'twenty commands at once each have their own output and end',
      async check({ shell, ends, bytes }) {
        const runs = await Promise.all(
          Array.from({ length: 20 }, (_, at) => shell(`echo out ${at}; echo err ${at} >&2; exit ${at}`)),
        )
        for (const [at, { id }] of runs.entries()) {
          expect(await ends(id)).toMatchObject({ exit: { code: at } })
          expect((await bytes(id)).toString()).toBe(`out ${at}\n`)
          expect((await bytes(id, 'stderr')).toString()).toBe(`err ${at}\n`)
        }
      },
    },
    {
      name: 'a hundred submissions at once start a hundred commands, each once',
      async check({ shell, ends, freshPath }) {
        const starts = freshPath('starts')
        const runs = await Promise.all(Array.from({ length: 100 }, (_, at) => shell(`echo ${at} >> ${starts}`)))
        await Promise.all(runs.map(({ id }) => ends(id)))
        expect((await linesIn(starts)).toSorted()).toEqual(runs.map((_, at) => String(at)).toSorted())
      },
    },
    {
      name: 'a reader that does not read holds up nobody else',
      async check({ shell, asked, outcome, ends }) {
        const { id } = await shell('seq 2000000')
        const reader = asked.bytes(readOutput, { run: id, follow: true })[Symbol.asyncIterator]()
        await reader.next()
        expect((await outcome('echo meanwhile')).stdout).toBe('meanwhile\n')
        expect(await ends(id)).toMatchObject({ state: 'succeeded' })
        await reader.return?.(undefined)
      },
    },
  ],
}
