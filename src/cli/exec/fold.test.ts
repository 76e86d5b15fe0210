import { expect, test } from 'vitest'
import { capture } from './capture.ts'
import { foldOutputs } from './fold.ts'
import type { HostResult } from './host-result.ts'
import { summarize } from './summary.ts'

async function result(host: string, code: number | undefined, text: string): Promise<HostResult> {
  const output = { stdout: capture(), stderr: capture() }
  await output.stdout.sink(text)
  return { host, code, error: null, output }
}

test('equal outputs are shown once, the commonest first', async () => {
  const results = await Promise.all([result('a', 0, 'one\n'), result('b', 0, 'two'), result('c', 0, 'two')])
  expect(foldOutputs(results).toString()).toBe('== b, c (2 hosts)\ntwo\n== a (1 host)\none\n')
})

test('the summary groups hosts by exit code and says why others have none', async () => {
  const away = {
    host: 'd',
    code: undefined,
    error: { code: 'host.offline', message: 'Host d cannot be reached.', hint: 'Wait.', retryable: true },
  }
  expect(summarize([await result('a', 1, ''), await result('b', 0, ''), await result('c', 0, ''), away])).toEqual([
    'exit 0: b, c',
    'exit 1: a',
    'd: Host d cannot be reached. hint: Wait.',
  ])
})
