import { expect, test } from 'vitest'
import { temporaryIdentity } from '../../wire/identity.ts'
import { introduce, isIntroduced, joinCommand, joinKeyOf, parseJoinToken } from './join-token.ts'

const hub = temporaryIdentity()
const host = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV'
const tokenOf = (identity = hub, of = host) =>
  joinCommand({ bucket: 's3://drop' }, { host: of, identity }).split(' ')[1] as string

test('who has the token can introduce a key; the hub and other workers can check it, and the hub need not remember it', () => {
  const token = parseJoinToken(tokenOf())
  expect(tokenOf()).toBe(tokenOf())
  expect(token).toMatchObject({ host, hubKey: hub.publicKey })
  const worker = temporaryIdentity().publicKey
  const { joinKey, introduction } = introduce(token, worker)
  expect(joinKey).toBe(joinKeyOf(hub, host))
  expect(isIntroduced({ host, joinKey }, worker, introduction)).toBe(true)
})

test('an introduction is good for one key at one host of one hub', () => {
  const worker = temporaryIdentity().publicKey
  const { joinKey, introduction } = introduce(parseJoinToken(tokenOf()), worker)
  const otherHost = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAW'
  expect(isIntroduced({ host, joinKey }, temporaryIdentity().publicKey, introduction)).toBe(false)
  expect(isIntroduced({ host: otherHost, joinKey }, worker, introduction)).toBe(false)
  expect(isIntroduced({ host: otherHost, joinKey: joinKeyOf(hub, otherHost) }, worker, introduction)).toBe(false)
  expect(isIntroduced({ host, joinKey: joinKeyOf(temporaryIdentity(), host) }, worker, introduction)).toBe(false)
  expect(isIntroduced({ host, joinKey }, worker, undefined)).toBe(false)
})

test('a token that no hub printed is refused without repeating it', () => {
  for (const value of ['', 'mpull_', tokenOf().slice(0, -1), `${tokenOf()}0`, 'mnode_x_y_z'])
    expect(() => parseJoinToken(value)).toThrow(expect.objectContaining({ code: 'bucket.token_invalid' }))
})

test('the command is one that a shell takes as it is', () => {
  const place = { bucket: "file:///srv/it's here", prefix: 'a/b', endpoint: 'https://store:1' }
  const command = joinCommand(place, { host, identity: hub })
  expect(command).toMatch(/^echo mpull_\S+ \| muster node pull /)
  expect(command).toContain(
    `--bucket 'file:///srv/it'\\''s here' --prefix a/b --endpoint https://store:1 --allow runs --token-stdin`,
  )
  expect(joinCommand({ ...place, insecure: true }, { host, identity: hub })).toContain(' --endpoint https://store:1 --insecure ')
  const [, pulled = ''] = command.split(' | ')
  expect(pulled).not.toContain('mpull_')
})
