// What a tool answers: text, or a picture; and whether it is an error.

export type Content =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly data: string; readonly mimeType: string }

/** An alias, so that the protocol's open objects take it. */
export type ToolAnswer = { readonly content: Content[]; readonly isError?: true }

/** A tool call as the tools see it. */
export interface ToolCall {
  /** Aborts when its client cancels it or goes away. */
  readonly signal: AbortSignal
  /** Tells the client that it goes on; ignored where nobody listens. */
  readonly tell: (message: string) => void
}

/** Half a character, as a host may send it, is no UTF-8: what it would do to a client's own request nobody knows. */
export function text(...lines: readonly string[]): ToolAnswer {
  const joined = lines.flatMap((line) => (line === '' ? [] : [line.replace(/\n$/, '')])).join('\n')
  return { content: [{ type: 'text', text: joined.toWellFormed() }] }
}
