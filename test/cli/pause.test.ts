// muster run pause and resume: the state is shown, and a repeat or a run that has ended says how it stands.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { testHome } from './muster.ts'

test('a command is paused, shown as paused, resumed, and ends; after that it can be neither', async () => {
  await using home = await testHome()
  await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
  const [ticks, end] = [join(home.dir, 'ticks'), join(home.dir, 'end')]
  const line = `while [ ! -e ${end} ]; do echo tick >> ${ticks}; sleep 0.02; done`
  const run = (await home.muster(['exec', 'local', '--detach', '--shell', '--', line])).stdout.trim()
  await vi.waitUntil(() => readFile(ticks).catch(() => undefined), { timeout: 30_000 })

  expect(await home.muster(['run', 'pause', run])).toMatchObject({ code: 0, stdout: `${run} is paused.\n` })
  expect((await home.muster(['run', 'pause', run])).code).toBe(0)
  expect((await home.muster(['run', 'show', run])).stdout).toMatch(/state: +paused/)
  expect((await home.muster(['run', 'list', '--state', 'paused'])).stdout).toContain(run)
  expect(await home.muster(['run', 'resume', run])).toMatchObject({ code: 0, stdout: `${run} is running.\n` })

  await writeFile(end, '')
  expect(await home.muster(['run', 'watch', run])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/paused\n.*running\n.*succeeded/s),
  })
  expect(await home.muster(['run', 'pause', run])).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('has already ended'),
  })
})
