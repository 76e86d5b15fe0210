import { describe, expect, test } from 'vitest'
import { engines, testStore } from '../../test/resources/stores.ts'
import type { EventBody } from '../contract/event.ts'
import { readArtifacts } from './artifacts.ts'
import { mirrorEntries } from './runs.ts'

const at = '2026-01-01T00:00:00.000Z'
const kept = { name: 'out/a', bytes: 3, sha256: 'a'.repeat(64), mtime: at, mode: 0o640 }
const refused = { name: 'b*', reason: 'no file matches it' }

describe.each(engines)('on %s', (engine) => {
  test("a run's artifacts are those of its own events, whatever else they say", async () => {
    await using store = await testStore(engine)
    const lookalike = JSON.stringify({ type: 'artifact.kept', ...kept, name: 'not-one' })
    const bodies: EventBody[] = [
      { type: 'accepted', kind: 'workflow', title: lookalike, parent: null },
      { type: 'step.ended', step: lookalike, state: 'failed', reason: lookalike },
      { type: 'artifact.kept', ...kept },
      { type: 'artifact.refused', ...refused },
      { type: 'state', state: 'failed' },
    ]
    for (const run of ['r1', 'r2']) {
      const shown = run === 'r1' ? bodies : bodies.filter(({ type }) => !type.startsWith('artifact.'))
      const first = run === 'r1' ? 1 : 11
      await mirrorEntries(
        store,
        'host_1',
        shown.map((body, i) => ({ position: first + i, run, event: { ...body, seq: i + 1, at } })),
      )
    }
    expect(await readArtifacts(store, 'host_1', 'r1')).toEqual({ kept: [kept], refused: [refused] })
    expect(await readArtifacts(store, 'host_1', 'r2')).toEqual({ kept: [], refused: [] })
    expect(await readArtifacts(store, 'host_2', 'r1')).toEqual({ kept: [], refused: [] })
  })
})
