import { expect, test } from 'vitest'
import { steadyClock } from './steady-clock.ts'

const hourMs = 3_600_000

function machine() {
  const now = { wall: 1_000_000, awake: 50, boot: 7_000 }
  const clock = steadyClock({ wall: () => now.wall, awake: () => now.awake, sinceBoot: () => now.boot })
  const pass = (ms: number) => {
    now.wall += ms
    now.awake += ms
    now.boot += ms
  }
  const sleep = (ms: number) => {
    now.wall += ms
    now.boot += ms
  }
  const set = (byMs: number) => {
    now.wall += byMs
  }
  return { clock, pass, sleep, set }
}

test("it starts as the system's and goes on as time passes", () => {
  const { clock, pass } = machine()
  expect(clock.now()).toBe(1_000_000)
  pass(1500)
  expect(clock.now()).toBe(1_001_500)
})

test("it takes no notice when somebody sets the system's clock, either way", () => {
  const { clock, pass, set } = machine()
  set(hourMs)
  pass(2000)
  expect(clock.now()).toBe(1_002_000)
  set(-2 * hourMs)
  pass(2000)
  expect(clock.now()).toBe(1_004_000)
})

test('it counts the time for which the machine was suspended', () => {
  const { clock, pass, sleep } = machine()
  sleep(hourMs)
  pass(1000)
  expect(clock.now()).toBe(1_001_000 + hourMs)
})
