// Choosing hosts by their labels: `gpu=true`, `zone!=eu`, `gpu` (it has that label), `!gpu` (it has not). Labels grant nothing.

import { z } from 'zod'

const name = '[A-Za-z0-9][A-Za-z0-9_./-]{0,62}'
const shape = new RegExp(`^(?:(?<absent>!)?(?<present>${name})|(?<label>${name})(?<not>!)?=(?<value>.{0,255}))$`, 'su')

export const LabelTest = z
  .string()
  .max(400)
  .regex(shape, 'a label is asked for as NAME=VALUE, NAME!=VALUE, NAME or !NAME')
  .meta({ description: '`NAME=VALUE`, `NAME!=VALUE`, `NAME` or `!NAME`.' })

/** Whether these labels pass every test. */
export function passes(labels: Readonly<Record<string, string>>, tests: readonly string[]): boolean {
  return tests.every((test) => {
    const { absent, present, label = '', not, value } = shape.exec(test)?.groups ?? {}
    if (present !== undefined) return Object.hasOwn(labels, present) === (absent === undefined)
    return (Object.hasOwn(labels, label) && labels[label] === value) === (not === undefined)
  })
}
