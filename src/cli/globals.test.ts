import { expect, test } from 'vitest'
import { readGlobals } from './globals.ts'

test('the global options are found in a command line that cannot be parsed, but not after --', () => {
  expect(readGlobals(['run', '--nope', '--json', '--output', 'f'])).toEqual({ json: true, output: 'f' })
  expect(readGlobals(['run', '--output=f'])).toEqual({ output: 'f' })
  expect(readGlobals(['exec', 'h', '--', 'x', '--json', '--output', 'f'])).toEqual({})
  expect(readGlobals(['run', '--output'])).toEqual({})
  expect(readGlobals(['run', '--output', '--json'])).toEqual({ json: true })
  expect(readGlobals(['run', '--output', 'f', '--output=g'])).toEqual({})
})
