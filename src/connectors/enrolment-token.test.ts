import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatEnrolmentToken, parseEnrolmentToken } from './enrolment-token.ts'

const host = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV'
const secret = 'a'.repeat(64)

test('what was made is read again', () => {
  const value = formatEnrolmentToken(host, 'abc123', secret)
  expect(parseEnrolmentToken(value)).toEqual({ host, hubKey: 'abc123', value })
})

test('anything else is refused with one sentence that does not repeat it', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      expect(() => parseEnrolmentToken(value)).toThrow(expect.objectContaining({ code: 'enroll.token_invalid' }))
      if (value.length > 3) expect(() => parseEnrolmentToken(value)).not.toThrow(value)
    }),
  )
})

test('a token that was cut anywhere is refused', () => {
  const value = formatEnrolmentToken(host, 'abc123', secret)
  for (let end = 0; end < value.length; end++) expect(() => parseEnrolmentToken(value.slice(0, end))).toThrow()
})
