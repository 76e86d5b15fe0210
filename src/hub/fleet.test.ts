import { expect, test } from 'vitest'
import { createFleet } from './fleet.ts'
import { testHost } from './test-parts.ts'

const open = (...names: string[]) => {
  const fleet = createFleet(testHost('local', []))
  for (const name of names) fleet.add({ ...testHost(name, []), id: `host_${name}`, name })
  return fleet
}
const names = (fleet: ReturnType<typeof open>) => fleet.all().map(({ name }) => name)

test('the own host comes first, the others by name, whatever comes and goes', () => {
  const fleet = open('c', 'a')
  expect(names(fleet)).toEqual(['local', 'a', 'c'])
  fleet.add({ ...testHost('b', []), id: 'host_b', name: 'b' })
  expect(names(fleet)).toEqual(['local', 'a', 'b', 'c'])
  fleet.remove('host_a')
  expect(names(fleet)).toEqual(['local', 'b', 'c'])
})

test('a host is found by its id, and by its name without regard to case, until it is removed', () => {
  const fleet = open('Box')
  expect(fleet.find('host_Box')).toBe(fleet.find('bOX'))
  expect(fleet.find('LOCAL').id).toBe('local')
  fleet.remove('host_Box')
  expect(() => fleet.find('box')).toThrow(expect.objectContaining({ code: 'host.unknown' }))
})

test('of two hosts with one name the first has it, and the other when the first is gone', () => {
  const fleet = open('box')
  fleet.add({ ...testHost('box', []), id: 'host_2', name: 'BOX' })
  expect(fleet.named('box')?.id).toBe('host_box')
  fleet.remove('host_box')
  expect(fleet.named('box')?.id).toBe('host_2')
})
