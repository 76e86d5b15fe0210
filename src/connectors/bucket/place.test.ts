import { expect, test } from 'vitest'
import { placeText } from './place.ts'

test.each([
  ['a directory and one below it as a prefix', { bucket: 'file:///srv/drop/box' }, { bucket: 'file:///srv/drop', prefix: 'box' }],
  ['a directory with a slash behind it', { bucket: 'file:///srv/drop' }, { bucket: 'file:///srv/drop/' }],
  [
    'an endpoint with a slash behind it',
    { bucket: 's3://drop', endpoint: 'https://store:9000' },
    { bucket: 's3://drop', endpoint: 'https://STORE:9000/' },
  ],
])('%s is the same place', (_, one, other) => {
  expect(placeText(one)).toBe(placeText(other))
})

test.each([
  ['another prefix', { bucket: 's3://drop', prefix: 'a' }, { bucket: 's3://drop', prefix: 'b' }],
  ['no prefix', { bucket: 's3://drop', prefix: 'a' }, { bucket: 's3://drop' }],
  ['another store', { bucket: 's3://drop' }, { bucket: 's3://drop', endpoint: 'https://store:9000' }],
  ['another kind of store', { bucket: 's3://drop' }, { bucket: 'gs://drop' }],
])('%s is another place', (_, one, other) => {
  expect(placeText(one)).not.toBe(placeText(other))
})
