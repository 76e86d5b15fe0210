import fc from 'fast-check'
import { expect, test } from 'vitest'
import { followEvents } from '../contract/event.ts'
import { submitRun } from '../contract/fleet.ts'
import { readOutput } from '../contract/output.ts'
import { cancelRun } from '../contract/run.ts'
import { gatherInput, readRange } from './input.ts'
import { routes } from './routes.ts'

function gather(name: string, carried: Partial<Parameters<typeof gatherInput>[1]>) {
  const route = routes.find(({ operation }) => operation.name === name)
  if (!route) throw new Error(`no route ${name}`)
  return gatherInput(route, { params: {}, query: {}, body: undefined, headers: {}, ...carried })
}

test("path, query and body are one input; a host operation's host is not part of it", () => {
  const input = gather(cancelRun.name, { params: { host: 'box', run: 'r1' }, body: { graceMs: 5 }, query: {} })
  expect(input).toEqual({ run: 'r1', graceMs: 5 })
})

test('the same value twice is one value, whatever place carries it as text', () => {
  expect(gather(cancelRun.name, { params: { run: 'r1' }, query: { graceMs: '5' }, body: { run: 'r1', graceMs: 5 } })).toEqual({
    run: 'r1',
    graceMs: 5,
  })
})

test('two different values are refused, naming the field and both places', () => {
  expect(() => gather(submitRun.name, { query: { key: 'a' }, body: { key: 'b' } })).toThrow(
    expect.objectContaining({
      code: 'input.invalid',
      message: expect.stringMatching(/key is given in the query and, differently, in the body/),
    }),
  )
})

test('a field called __proto__ is a field like any other', () => {
  const input = gather(submitRun.name, { body: JSON.parse('{"__proto__": {"polluted": true}}') })
  expect(Object.keys(input)).toEqual(['__proto__'])
  expect('polluted' in input).toBe(false)
})

test('Last-Event-ID and after: the later counts', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (after, lastSeen) => {
      const input = gather(followEvents.name, { query: { after: String(after) }, headers: { 'last-event-id': String(lastSeen) } })
      expect(Number(input.after)).toBe(Math.max(after, lastSeen))
    }),
  )
})

test('Last-Event-ID and Range mean nothing to operations that have no such field', () => {
  expect(gather(readOutput.name, { headers: { 'last-event-id': '7' } })).toEqual({})
  expect(gather(followEvents.name, { headers: { range: 'bytes=5-' } })).toEqual({})
})

test('a range is an offset and a limit', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (first, more) => {
      expect(readRange(`bytes=${first}-`)).toEqual({ offset: first })
      expect(readRange(`bytes=${first}-${first + more}`)).toEqual({ offset: first, limit: more + 1 })
      expect(readRange(`bytes=${first + more + 1}-${first}`)).toEqual({})
    }),
  )
})
