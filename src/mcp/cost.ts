// What a text costs a model, guessed before it is made: tokens are some three characters of what hosts and commands are called, and one
// for a character of most other scripts. test/mcp/tokens.test.ts counts what really comes of it.

/** A page of a listing: less than 4,000 tokens. */
export const pageCost = 10_500

export function costOf(text: string): number {
  let beyond = 0
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) beyond++
  return text.length + 2 * beyond
}
