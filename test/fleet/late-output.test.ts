// A run on a copied host whose end is known before its output has come over a narrow line: its log is whole, or says that it is not.

import { expect, it } from 'vitest'
import { endOf, execDetached, joinNode, makeHome, muster, serveHub, untilOnline } from '../resources/muster.ts'
import { openProxy } from '../resources/proxy.ts'

const bytes = 1_500_000
const program = `process.stdout.write('x'.repeat(${bytes - 1}) + '\\n')`

it('its log is whole however late it comes; cut off meanwhile it says so, and following it brings the rest', async () => {
  await using home = await makeHome()
  await using nodeHome = await makeHome()
  await using hub = await serveHub(home)
  await using line = await openProxy(hub.url, { bytesPerSecond: 300_000 })
  await using node = await joinNode(hub, 'far', nodeHome, { via: line.url })

  const whole = await execDetached(home.path, 'far', [process.execPath, '-e', program])
  await endOf(home.path, whole)
  const read = await muster(home.path, ['run', 'logs', whole])
  expect({ ...read, stdout: read.stdout.length }).toEqual({ code: 0, stdout: bytes, stderr: '' })

  const cut = await execDetached(home.path, 'far', [process.execPath, '-e', program])
  await endOf(home.path, cut)
  line.refuse()
  const partly = await muster(home.path, ['run', 'logs', cut])
  expect(partly).toMatchObject({ code: 6, stderr: expect.stringMatching(/has ended, and the rest of its output has not come/) })
  expect(partly.stderr).toContain(`muster run logs -f ${cut}`)
  expect(partly.stdout.length).toBeLessThan(bytes)
  line.mend()
  await untilOnline(hub, 'far', node)
  expect((await muster(home.path, ['run', 'logs', '-f', cut])).stdout.length).toBe(bytes)
})
