import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { MusterError } from '../../contract/errors.ts'
import { listenUnix } from '../../wire/channels/unix.ts'
import { hostHome } from '../home.ts'
import { openKeeper } from './client.ts'
import { keeperSocket } from './place.ts'

test('closed while it dials, it leaves no connection behind', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-client-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const over = Promise.withResolvers<MusterError>()
  await using _keeper = await listenUnix(keeperSocket(dir), (channel) => {
    channel.receive(() => {})
    void channel.closed.then(over.resolve)
  })
  const client = openKeeper(hostHome(dir), pino({ level: 'silent' }))
  const finding = client.find()
  client.close()
  await expect(finding).rejects.toMatchObject({ code: 'host.stopped' })
  expect((await over.promise).code).toBe('wire.closed')
}, 60_000)
