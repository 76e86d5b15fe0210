import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

test.runIf(process.platform === 'linux')('a full disk costs the keeper its log lines and not its life', async () => {
  const log = new URL('./log.ts', import.meta.url).href
  const program = `const { keeperLog } = await import('${log}'); keeperLog.error('full', { error: new Error('x') }); console.log('lives')`
  const line = '"$0" --input-type=module -e "$1" 2> /dev/full'
  const { stdout } = await run('/bin/sh', ['-c', line, process.execPath, program])
  expect(stdout).toBe('lives\n')
})
