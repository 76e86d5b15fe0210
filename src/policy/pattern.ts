// What a pattern of commands matches: one name, all names that begin alike, or all. Compared byte for byte, so that nothing that only
// looks like a name, or would become one by folding, trimming or decoding, is ever taken for it.

/** `command` is a well-formed name; the evaluator has seen to that. */
export function matchesPattern(pattern: string, command: string): boolean {
  if (pattern === '*') return true
  if (!pattern.endsWith('.*')) return pattern === command
  return command.startsWith(pattern.slice(0, -1))
}
