// The differences by which cases are skipped are those that the connectors themselves declare.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { temporaryIdentity } from '../../../src/wire/identity.ts'
import { connectors } from './connectors.ts'

test.each(connectors)('$kind declares what the suite goes by', async ({ connector, traits }) => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-declared-'))
  try {
    await using opened = await connector({
      host: 'host_1',
      name: 'box',
      lastSeenAt: null,
      identity: temporaryIdentity(),
      version: '0.0.0',
      dir,
      secret: async () => undefined,
      log: pino({ enabled: false }),
    })
    expect(opened.traits).toEqual(traits)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
