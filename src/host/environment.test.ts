import { expect, test } from 'vitest'
import { environmentFor } from './environment.ts'

test('inherits only what is on the list', () => {
  const own = { PATH: '/bin', LC_ALL: 'C', AWS_SECRET_ACCESS_KEY: 's3cret', MUSTER_TOKEN: 't', NODE_OPTIONS: '--inspect' }
  expect(environmentFor(own, {}, {})).toEqual({ PATH: '/bin', LC_ALL: 'C' })
})

test('what the spec gives wins over what is inherited, who it is wins over both', () => {
  const environment = environmentFor({ PATH: '/bin' }, { PATH: '/opt', MUSTER_RUN: 'forged' }, { MUSTER_RUN: 'r1' })
  expect(environment).toEqual({ PATH: '/opt', MUSTER_RUN: 'r1' })
})
