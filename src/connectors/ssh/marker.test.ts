import { expect, test } from 'vitest'
import { findMarker, formatMarker } from './marker.ts'

const joined = formatMarker({ joined: true })

test('the marker is found after noise, glued to it or not, and gives back what comes after it untouched', () => {
  const rest = Buffer.from([0, 0, 0, 2, 1, 0x7b])
  for (const noise of ['', 'Welcome!\n', 'no newline', '\n#muster-attach nonsense\n', '\n#muster-attach {"joined":false}\n']) {
    const found = findMarker(Buffer.concat([Buffer.from(noise + joined), rest]))
    expect(found?.marker).toEqual({ joined: true })
    expect(found?.rest).toEqual(rest)
  }
})

test('it is found whatever pieces it comes in, at its last byte and not before', () => {
  const all = Buffer.from(`Last login: today${joined}`)
  for (let length = 0; length < all.length; length++) expect(findMarker(all.subarray(0, length))).toBeUndefined()
  expect(findMarker(all)?.marker).toEqual({ joined: true })
})

test('a failure of the far side comes through', () => {
  const error = { code: 'home.unusable', message: 'No.', hint: 'Mend.', retryable: false }
  expect(findMarker(Buffer.from(formatMarker({ error })))?.marker).toEqual({ error })
})
