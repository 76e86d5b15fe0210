import fc from 'fast-check'
import { expect, test } from 'vitest'
import { askKey, beatKey, claimKey, jobKey, parseKey, segmentKey } from './keys.ts'

const worker = '0123456789abcdef0123456789abcdef'

test('each key names what it was made for', () => {
  expect(parseKey(jobKey('run_1.a-b'))).toEqual({ kind: 'job', run: 'run_1.a-b' })
  expect(parseKey(claimKey('run_1', 12))).toEqual({ kind: 'claim', run: 'run_1', fence: 12 })
  expect(parseKey(askKey('01ARZ3NDEKTSV4RRFFQ69G5FAV'))).toEqual({ kind: 'ask', id: '01ARZ3NDEKTSV4RRFFQ69G5FAV' })
  expect(parseKey(beatKey(worker))).toEqual({ kind: 'beat', worker })
  expect(parseKey(segmentKey(worker, 7))).toEqual({ kind: 'segment', worker, number: 7 })
})

test('a key that tries a path, or is any other text, names nothing', () => {
  const tries = ['q/job/../x', 'q/job/a..b', 'q/job/a/b', 'q/job/', 'q/job/.x', 'q/job/a\nb', 'q/claim/r~0', 'q/claim/r~01']
  for (const key of [...tries, `up/${worker}/../1`, `up/${worker}/1`, 'up/../etc', '/q/job/a', 'q/claim/r~9999999999999999'])
    expect(parseKey(key)).toBeUndefined()
  fc.assert(fc.property(fc.string(), (text) => parseKey(text) === undefined))
})
