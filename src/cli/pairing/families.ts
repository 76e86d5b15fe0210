// Families as the options of pairing name them, checked before anybody is asked.

import type { z } from 'zod'
import { Trust } from '../../contract/host.ts'
import { check } from '../arguments.ts'

export function families(given: readonly string[]): z.output<typeof Trust> {
  return [...new Set(given.map((one) => check(Trust.element, one, 'The family', 'docs/pairing.md shows what can be asked for.')))]
}
