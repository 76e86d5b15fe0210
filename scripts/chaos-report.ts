// Where the chaos tests write what they have counted, so that it can be said once more at the end of a long run.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface ChaosReport extends Disposable {
  /** For the process that runs the tests. */
  readonly env: Readonly<Record<string, string>>
  /** A line for each figure, in the order in which they came. */
  text(): string
}

export function chaosReport(): ChaosReport {
  const folder = mkdtempSync(join(tmpdir(), 'muster-chaos-'))
  const file = join(folder, 'report')
  return {
    env: { MUSTER_CHAOS_REPORT: file },
    text: () => (existsSync(file) ? readFileSync(file, 'utf8').trimEnd() : 'nothing'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
