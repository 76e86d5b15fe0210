// What a command may be called, and what may stand for several: the shapes alone, for who asks of each call or before a schema is loaded.

const segment = '[a-z0-9][a-z0-9_-]*'
export const commandName = new RegExp(`^${segment}(?:\\.${segment})*$`)
export const commandPattern = new RegExp(`^(?:\\*|${segment}(?:\\.${segment})*(?:\\.\\*)?)$`)
export const longestCommandName = 128

/** Small letters only, and nothing that another place could take for something else: what looks like a name and is none matches nothing. */
export function isCommandName(text: string): boolean {
  return text.length <= longestCommandName && commandName.test(text)
}

export function isCommandPattern(text: string): boolean {
  return text.length <= longestCommandName && commandPattern.test(text)
}
