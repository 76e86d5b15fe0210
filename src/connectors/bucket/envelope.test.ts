import fc from 'fast-check'
import { expect, test } from 'vitest'
import { temporaryIdentity } from '../../wire/identity.ts'
import { seal, unseal } from './envelope.ts'

const place = { host: 'host_1', key: 'q/job/run_1' }
const identity = temporaryIdentity()

test('what was sealed is read again, body and all', () => {
  fc.assert(
    fc.property(fc.json(), fc.uint8Array(), (json, body) => {
      const header = JSON.parse(json)
      const read = unseal(place, seal(place, { identity, introduction: 'intr' }, header, [body]))
      expect(read).toMatchObject({ by: identity.publicKey, introduction: 'intr' })
      expect(JSON.stringify(read?.header)).toBe(JSON.stringify(header))
      expect(Buffer.from(read?.body ?? [])).toEqual(Buffer.from(body))
    }),
  )
})

test('an object with one byte changed, cut or added is none', () => {
  const sealed = seal(place, { identity }, { type: 'job', run: 'run_1' }, [Buffer.from('body')])
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const altered = Buffer.from(sealed)
      altered[at] = (altered[at] as number) ^ by
      expect(unseal(place, altered)).toBeUndefined()
      expect(unseal(place, sealed.subarray(0, at))).toBeUndefined()
    }),
    { numRuns: 500 },
  )
  expect(unseal(place, Buffer.concat([sealed, Buffer.from('x')]))).toBeUndefined()
})

test('an object under another key or for another host is none', () => {
  const sealed = seal(place, { identity }, {})
  expect(unseal({ ...place, key: 'q/job/run_2' }, sealed)).toBeUndefined()
  expect(unseal({ ...place, host: 'host_2' }, sealed)).toBeUndefined()
})

test('anything else is none', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => unseal(place, bytes) === undefined))
})
