// What the command `screenshot` gives is what is on the display: a picture that the test has put there.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import { screenshotCommands } from '../../src/host/commands/screenshot.ts'

const invocation = { signal: new AbortController().signal, progress: () => undefined, asker: null }

interface Picture {
  readonly png: string
  readonly scalePercent: number
}

/** Starts a display; its number is chosen by the server, and told once it listens. */
async function startDisplay(size: string) {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', `${size}x24`, '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const [number] = (await once(server.stdio[3] as NonNullable<(typeof server.stdio)[3]>, 'data')) as [Buffer]
  return {
    name: `:${number.toString().trim()}`,
    async [Symbol.asyncDispose]() {
      server.kill()
      await once(server, 'close')
    },
  }
}

function convert(args: string[], input?: Buffer): Buffer {
  const { status, stdout, stderr } = spawnSync('convert', args, { input, maxBuffer: 64 * 1024 * 1024 })
  if (status !== 0) throw new Error(String(stderr))
  return stdout
}

const take = async (display: string) => {
  const [command] = screenshotCommands({ ...process.env, DISPLAY: display })
  return (await command?.prepare({}).run(invocation)) as Picture
}

test.skipIf(!hasProgram('Xvfb') || !hasProgram('import'))('it shows what the display shows, pixel by pixel', async () => {
  await using display = await startDisplay('64x48')
  const picture = convert(['-size', '32x48', 'xc:#ff0000', 'xc:#0000ff', '+append', 'png:-'])
  const put = spawnSync('display', ['-display', display.name, '-window', 'root', 'png:-'], { input: picture })
  expect(String(put.stderr)).toBe('')
  const { png, scalePercent } = await take(display.name)
  expect(scalePercent).toBe(100)
  const pixels = convert(['png:-', '-depth', '8', 'rgb:-'], Buffer.from(png, 'base64'))
  expect(pixels).toHaveLength(64 * 48 * 3)
  for (let at = 0; at < 64 * 48; at++) {
    const isLeft = at % 64 < 32
    expect([...pixels.subarray(3 * at, 3 * at + 3)]).toEqual(isLeft ? [255, 0, 0] : [0, 0, 255])
  }
})

test.skipIf(!hasProgram('Xvfb') || !hasProgram('import'))('one that would not fit into a message is made smaller', async () => {
  await using display = await startDisplay('1000x800')
  const noise = convert(['-size', '1000x800', 'xc:gray', '+noise', 'Random', 'png:-'])
  spawnSync('display', ['-display', display.name, '-window', 'root', 'png:-'], { input: noise })
  const { png, scalePercent } = await take(display.name)
  expect(scalePercent).toBeLessThan(100)
  expect(png.length).toBeLessThan(1024 * 1024)
})

test('without a display, or a program for it, there is no such command', () => {
  expect(screenshotCommands({ PATH: process.env.PATH })).toEqual([])
  expect(screenshotCommands({ DISPLAY: ':0', PATH: '/no/such/folder' })).toEqual([])
})
