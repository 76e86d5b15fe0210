// What every use of CEL shares: how values of JSON become CEL's, what an expression may cost, and what is wrong with one in words.
// Used by workflows (`when:` of a step) and by policy (`when` of a rule).

/** For `new Environment`: an expression is written by a person, and one that is larger than this is not. */
export const celLimits = { unlistedVariablesAreDyn: false, limits: { maxAstNodes: 2000, maxDepth: 50 } } as const

/** CEL's integers are bigints. A property that computes its value keeps doing so: it may refuse. */
export function celValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(celValue)
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
    const { get } = property
    Object.defineProperty(
      copy,
      key,
      get ? { get: () => celValue(get.call(value)), enumerable: true } : { value: celValue(property.value), enumerable: true },
    )
  }
  return copy
}

/** What the parser, the type check or the evaluation has against an expression, and where. */
export function celProblem(thrown: unknown): { summary: string; range?: { start: number; end: number } } {
  if (!(thrown instanceof Error)) return { summary: String(thrown) }
  const { summary, range } = thrown as Error & { summary?: string; range?: { start: number; end: number } }
  return { summary: summary ?? thrown.message.split('\n')[0] ?? '', ...(range && { range }) }
}
