import { expect, test } from 'vitest'
import { allowedFamilies, requireAllowed } from './policy.ts'

test('nothing is allowed that is not named', () => {
  expect(() => requireAllowed({ allow: [] }, 'box', 'runs')).toThrow('Host box does not allow its hub "runs".')
  expect(() => requireAllowed({ allow: ['runs'] }, 'box', 'procs')).toThrow('"procs"')
  requireAllowed({ allow: ['runs'] }, 'box', 'runs')
})

test('everything is each family', () => {
  requireAllowed({ allow: 'everything' }, 'box', 'procs')
  expect(allowedFamilies({ allow: 'everything' })).toEqual(['runs', 'procs'])
})
