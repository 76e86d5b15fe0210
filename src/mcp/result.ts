// A command's result for a model: how it exited and what it wrote, a picture as a picture, anything else as JSON; no more at once than a
// model should read, and how to get the rest.

import { type Content, type ToolAnswer, text } from './answer.ts'
import { quoted } from './quoted.ts'
import { shownPart } from './shown.ts'
import { ago, oneLine } from './words.ts'

type Stream = 'stdout' | 'stderr'

export interface ResultShown {
  readonly offset: number | undefined
  readonly stream: Stream | undefined
  readonly ask: Readonly<Record<string, unknown>>
  readonly tookMs: number
}

export function resultAnswer(what: string, result: unknown, { offset, stream, ask, tookMs }: ResultShown): ToolAnswer {
  const fields = typeof result === 'object' && result !== null ? (result as Readonly<Record<string, unknown>>) : {}
  const took = `${what}, ${tookMs < 1000 ? `${Math.round(tookMs)} ms` : ago(tookMs)}`
  if (typeof fields.stdoutBytes !== 'number') return valueAnswer(took, result, fields, { offset, ask })
  const head = `${took}: ${exitOf(fields)}`
  if (offset !== undefined || stream !== undefined) return text(head, streamText(fields, stream ?? 'stdout', { offset, ask }))
  return text(head, streamText(fields, 'stdout', { ask }), streamText(fields, 'stderr', { ask }))
}

function valueAnswer(
  head: string,
  result: unknown,
  { png, ...rest }: Readonly<Record<string, unknown>>,
  how: { offset: number | undefined; ask: Readonly<Record<string, unknown>> },
): ToolAnswer {
  const isPicture = typeof png === 'string' && isPng(png)
  const { text: shown, rest: more } = shownPart(JSON.stringify((isPicture ? rest : result) ?? null), how)
  const said = text(`${head}:`, shown, more)
  if (!isPicture) return said
  const image: Content = { type: 'image', data: png, mimeType: 'image/png' }
  return { content: [...said.content, image] }
}

/** In Base64; a model's service takes no larger ones. */
const largestPicture = 4 * 1024 * 1024
const pngBegins = 'iVBORw0KGgo'

/** Whether a client can be given it as a picture: what is none may spoil its whole conversation. */
function isPng(base64: string): boolean {
  return base64.length <= largestPicture && base64.startsWith(pngBegins) && /^[A-Za-z0-9+/]+={0,2}$/.test(base64)
}

const longestExit = 40

function exitOf({ code, signal, timedOut }: Readonly<Record<string, unknown>>): string {
  if (timedOut === true) return 'stopped at its timeout (params.timeoutMs)'
  return oneLine(typeof signal === 'string' ? `ended by ${signal}` : `exit code ${String(code)}`, longestExit)
}

function streamText(
  fields: Readonly<Record<string, unknown>>,
  stream: Stream,
  { offset, ask }: { offset?: number | undefined; ask: Readonly<Record<string, unknown>> },
): string {
  const bytes = Number(fields[`${stream}Bytes`])
  const base64 = fields[`${stream}Base64`]
  const kept = fields[`${stream}Cut`] === true ? `, of which the first 256 KiB are kept (keep: true keeps all)` : ''
  if (bytes === 0) return `${stream}: empty`
  const { text: shown, rest } = shownPart(String(base64 ?? fields[stream] ?? ''), { offset, ask: { ...ask, stream } })
  const form = base64 === undefined ? '' : ', in Base64 since they are no text'
  return `${quoted(`${stream}, ${bytes} bytes${kept}${form}`, shown)}${rest === '' ? '' : `\n[${rest}]`}`
}
