// How often a chaos test tries, and where it says what came of that.

import { appendFileSync } from 'node:fs'

/** `full` trials, or the share of them that MUSTER_CHAOS_SHARE asks for; never fewer than `atLeast`, which show something. */
export function trials(full: number, atLeast: number): number {
  return Math.max(atLeast, Math.round(full * Number(process.env.MUSTER_CHAOS_SHARE)))
}

/** Says it here, and once more at the end of `npm run chaos` or `npm test`, which name the file. */
export function report(line: string): void {
  console.log(line)
  const { MUSTER_CHAOS_REPORT: file } = process.env
  if (file) appendFileSync(file, `${line}\n`)
}

export { seed, seededRandom } from '../resources/seeded.ts'
