import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { failure, type MusterError } from '../../contract/errors.ts'
import type { Asking } from '../../wire/pairing.ts'
import { limitTries } from '../tries.ts'
import { sourceOf } from './source.ts'
import { type Ending, openWaiting, type WaitingOf } from './waiting.ts'
import { beyond } from './wishes.ts'

const minuteMs = 60_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function asking(code: string, name = 'box'): Asking {
  return { code, name, key: 'k', software: '1', platform: 'linux', arch: 'x64', asks: ['runs'] }
}

/** With a clock that goes only when it is told to. */
function open(limits: WaitingOf['limits'] = {}) {
  const ended: [string, Ending][] = []
  let at = 0
  const waiting = openWaiting({ limits, now: () => at, onEnd: ({ name }, ending) => void ended.push([name, ending]) })
  const pass = (ms: number) => {
    at += ms
    vi.advanceTimersByTime(ms)
  }
  return { ...waiting, ended, pass }
}

const codeOf = (run: () => unknown): string | undefined => {
  try {
    run()
    return undefined
  } catch (error) {
    return (error as MusterError).code
  }
}

test('the machine that shows the code is let in, once', async () => {
  const waiting = open()
  const place = waiting.enter(asking('111111', 'one'), '10.0.0.1')
  waiting.enter(asking('222222', 'two'), '10.0.0.2')
  const taken = waiting.takeByCode('111111')
  expect(taken.machine.name).toBe('one')
  expect(codeOf(() => waiting.takeByCode('111111'))).toBe('pairing.decided')
  taken.approve({ host: 'h' })
  expect(await place.decided).toEqual({ host: 'h' })
  expect(codeOf(() => waiting.takeByCode('111111'))).toBe('pairing.decided')
  expect(codeOf(() => waiting.takeById(taken.machine.id))).toBe('pairing.decided')
  expect(waiting.all().map(({ name }) => name)).toEqual(['two'])
  expect(waiting.ended).toEqual([['one', 'approved']])
})

test('one that is turned away is told, by its code as by its id', async () => {
  const waiting = open()
  const one = waiting.enter(asking('111111'), '10.0.0.1')
  const two = waiting.enter(asking('222222'), '10.0.0.1')
  waiting.takeByCode('111111').reject()
  waiting.takeById(waiting.all()[0]?.id ?? '').reject()
  await expect(one.decided).rejects.toMatchObject({ code: 'pairing.rejected' })
  await expect(two.decided).rejects.toMatchObject({ code: 'pairing.rejected' })
  expect(waiting.all()).toEqual([])
})

test('a decision that could not be carried out leaves it waiting', () => {
  const waiting = open()
  waiting.enter(asking('111111'), '10.0.0.1')
  waiting.takeByCode('111111').putBack()
  waiting.takeByCode('111111').approve({})
  expect(waiting.ended).toEqual([['box', 'approved']])
})

test('nobody waits longer than his time, nor past the end of his connection', async () => {
  const waiting = open()
  const late = waiting.enter(asking('111111', 'late'), '10.0.0.1')
  const gone = waiting.enter(asking('222222', 'gone'), '10.0.0.1')
  gone.leave()
  gone.leave()
  waiting.pass(5 * minuteMs - 1)
  expect(waiting.all()).toHaveLength(1)
  waiting.pass(1)
  await expect(late.decided).rejects.toMatchObject({ code: 'pairing.expired' })
  expect(waiting.ended).toEqual([
    ['gone', 'gone'],
    ['late', 'expired'],
  ])
  for (const code of ['111111', '222222']) expect(codeOf(() => waiting.takeByCode(code))).toBe('pairing.code_wrong')
})

test('one whose time ends while it is decided about is let in all the same, or ends where nothing came of that', async () => {
  const waiting = open()
  const [one, two] = ['111111', '222222'].map((code) => waiting.enter(asking(code, code), '10.0.0.1'))
  const [first, second] = ['111111', '222222'].map((code) => waiting.takeByCode(code))
  waiting.pass(5 * minuteMs)
  first?.approve('in')
  second?.putBack()
  expect(await one?.decided).toBe('in')
  await expect(two?.decided).rejects.toMatchObject({ code: 'pairing.expired' })
})

test('as many wait as may, and so many from one source; the next are refused and the others are not disturbed', () => {
  const waiting = open({ newAMinute: 100, newOfOneSourceAMinute: 100 })
  const enter = (n: number, address: string) => waiting.enter(asking(String(n).padStart(6, '0')), address)
  for (let n = 0; n < 3; n++) enter(n, '10.0.0.1')
  expect(codeOf(() => enter(3, '10.0.0.1'))).toBe('pairing.crowded')
  expect(codeOf(() => enter(3, '::ffff:10.0.0.1'))).toBe('pairing.crowded')
  for (let n = 3; n < 10; n++) enter(n, `10.0.1.${n}`)
  expect(codeOf(() => enter(10, '10.0.2.1'))).toBe('pairing.crowded')
  waiting.takeByCode('000000').approve({})
  enter(10, '10.0.2.1')
  expect(waiting.all()).toHaveLength(10)
})

test('a source that comes again and again takes its own share of the minute, and no more', () => {
  const waiting = open()
  let n = 0
  const come = (address: string) => waiting.enter(asking(String(n++).padStart(6, '0')), address).leave()
  for (let time = 0; time < 5; time++) come('10.0.0.1')
  expect(codeOf(() => come('10.0.0.1'))).toBe('pairing.crowded')
  for (let time = 0; time < 5; time++) come(`10.0.1.${time}`)
  expect(codeOf(() => come('10.0.2.1'))).toBe('pairing.crowded')
  waiting.pass(minuteMs)
  come('10.0.0.1')
})

test('two that would show the same code do not wait at once: the second asks anew', () => {
  const waiting = open()
  waiting.enter(asking('111111'), '10.0.0.1')
  expect(codeOf(() => waiting.enter(asking('111111'), '10.0.0.2'))).toBe('wire.overloaded')
})

test('five wrong codes and the right one counts no longer; its machine is told', async () => {
  const waiting = open({ wrongCodesAMinute: 100 })
  const place = waiting.enter(asking('111111'), '10.0.0.1')
  for (let n = 0; n < 4; n++) expect(codeOf(() => waiting.takeByCode(`00000${n}`))).toBe('pairing.code_wrong')
  expect(waiting.all()[0]?.triesLeft).toBe(1)
  expect(codeOf(() => waiting.takeByCode('999999'))).toBe('pairing.code_wrong')
  await expect(place.decided).rejects.toMatchObject({ code: 'pairing.void' })
  expect(codeOf(() => waiting.takeByCode('111111'))).toBe('pairing.code_wrong')
  expect(waiting.ended).toEqual([['box', 'void']])
})

test('ten wrong codes in a minute and none is taken, not even the right one, until the minute is over', () => {
  const waiting = open({ wrongCodes: 1_000 })
  waiting.enter(asking('111111'), '10.0.0.1')
  for (let n = 0; n < 10; n++) expect(codeOf(() => waiting.takeByCode(`00000${n}`))).toBe('pairing.code_wrong')
  expect(codeOf(() => waiting.takeByCode('111111'))).toBe('pairing.locked')
  waiting.pass(minuteMs)
  expect(codeOf(() => waiting.takeByCode('111111'))).toBeUndefined()
})

test('whoever tries codes one after the other, for days, gets no further than chance lets him', () => {
  const waiting = open()
  const guesses = 100_000
  const answers = new Map<string, number>()
  let machines = 0
  for (let n = 0; n < guesses; n++) {
    // Somebody always waits, with a code that does not lie where the guesses begin.
    if (waiting.all().length === 0 && n % 10 === 0) {
      waiting.enter(asking(String(500_000 + machines++).padStart(6, '0')), '10.0.0.1')
    }
    const answer = codeOf(() => waiting.takeByCode(String(n).padStart(6, '0'))) ?? 'let in'
    answers.set(answer, (answers.get(answer) ?? 0) + 1)
    if (n % 100 === 0) waiting.pass(minuteMs / 10)
  }
  console.log(`guesses: ${guesses}, with ${machines} machines that waited: ${JSON.stringify(Object.fromEntries(answers))}`)
  expect(answers.get('let in')).toBeUndefined()
  // Of all these, few were even compared.
  expect(answers.get('pairing.code_wrong')).toBeLessThan(guesses / 50)
  expect(answers.get('pairing.locked')).toBeGreaterThan(guesses * 0.9)
}, 240_000)

test('when the hub closes, all who wait are told so', async () => {
  const waiting = open()
  const place = waiting.enter(asking('111111'), '10.0.0.1')
  waiting.close(failure('wire.closed', { reason: 'the hub is closing' }))
  await expect(place.decided).rejects.toMatchObject({ code: 'wire.closed' })
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:2::9', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['memory', 'memory'],
])('%s is the source %s', (address, source) => {
  expect(sourceOf(address)).toBe(source)
})

describe('tries within a window', () => {
  test('are counted in all and for each source, and the oldest is forgotten first', () => {
    let at = 0
    const tries = limitTries({ windowMs: 100, most: 3, mostOfOne: 2, now: () => at })
    tries.note('a')
    at = 10
    tries.note('a')
    expect(tries.waitMs('a')).toBe(90)
    expect(tries.waitMs('b')).toBe(0)
    at = 20
    tries.note('b')
    expect(tries.waitMs('c')).toBe(80)
    at = 100
    expect(tries.waitMs('a')).toBe(0)
    expect(tries.waitMs('c')).toBe(0)
  })
})

test('what is asked for beyond what was approved', () => {
  expect(beyond(['runs', 'procs'], ['runs'])).toEqual(['procs'])
  expect(beyond(['file.read', 'file.*', 'files', 'exec'], ['file.*'])).toEqual(['files', 'exec'])
  expect(beyond(['file.*', '*'], ['file.read'])).toEqual(['file.*', '*'])
  expect(beyond(['anything', '*'], ['*'])).toEqual([])
})
