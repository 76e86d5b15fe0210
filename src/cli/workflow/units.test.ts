import { expect, test } from 'vitest'
import type { EventBody, RunEvent } from '../../contract/event.ts'
import { createUnits, showUnits } from './units.ts'

const at = '2026-01-01T00:00:00.000Z'
const numbered = (bodies: EventBody[]) => bodies.map((body, i): RunEvent => ({ ...body, seq: i + 1, at }))
const unit = (step: string, index: number, item: string, host: string) => ({
  step,
  index,
  item,
  host,
  run: `run_${step}_${index}`,
})

test('events become rows: fanned-out units by index, single ones by their step, skipped steps too', () => {
  const units = createUnits()
  for (const event of numbered([
    { type: 'step.started', step: 'list', units: 1 },
    { type: 'unit.started', ...unit('list', 0, '', 'local') },
    {
      type: 'unit.ended',
      ...unit('list', 0, '', 'local'),
      state: 'succeeded',
      exit: { code: 0, signal: null },
      error: null,
      durationMs: 12,
      stdout: '',
    },
    { type: 'step.started', step: 'count', units: 2 },
    { type: 'unit.started', ...unit('count', 0, 'src/a', 'local') },
    { type: 'unit.started', ...unit('count', 1, 'src/b', 'second') },
    {
      type: 'unit.ended',
      ...unit('count', 1, 'src/b', 'second'),
      state: 'failed',
      exit: { code: 3, signal: null },
      error: null,
      durationMs: 1500,
      stdout: '',
    },
    { type: 'step.ended', step: 'report', state: 'skipped', reason: 'when' },
  ]))
    units.apply(event)
  const table = showUnits(units.rows(), { screen: false, columns: 80, color: false }, Date.parse(at) + 2500)
  expect(table).toBe(
    [
      'UNIT      HOST    STATE            DURATION  ITEM',
      'list      local   succeeded        12ms',
      'count[0]  local   running          2.5s      src/a',
      'count[1]  second  failed (exit 3)  1.5s      src/b',
      'report    -       skipped          -',
    ].join('\n'),
  )
})

test('a start that is told again does not undo an end', () => {
  const units = createUnits()
  const [started, ended] = numbered([
    { type: 'unit.started', ...unit('a', 0, '', 'local') },
    { type: 'unit.ended', ...unit('a', 0, '', 'local'), state: 'succeeded', exit: null, error: null, durationMs: 1, stdout: '' },
  ])
  for (const event of [started, ended, started]) if (event) units.apply(event)
  expect(units.rows()).toMatchObject([{ state: 'succeeded' }])
})
