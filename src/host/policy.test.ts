import { expect, test } from 'vitest'
import { allowedFamilies, requireAllowed } from './policy.ts'

test('nothing is allowed that is not named', () => {
  expect(() => requireAllowed({ allow: [] }, 'runs')).toThrow('The host does not allow its hub "runs".')
  expect(() => requireAllowed({ allow: ['runs'] }, 'procs')).toThrow('"procs"')
  requireAllowed({ allow: ['runs'] }, 'runs')
})

test('everything is each family', () => {
  requireAllowed({ allow: 'everything' }, 'procs')
  expect(allowedFamilies({ allow: 'everything' })).toEqual(['runs', 'procs'])
})
