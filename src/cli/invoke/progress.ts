// What a command says on its way, on standard error: its output as it comes, anything else as a line of JSON. Nothing in it steers the
// terminal.

import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'

/** `prefix` stands before each line, where there are several hosts. */
export function showProgress({ err }: Pick<Terminal, 'err'>, value: unknown, prefix = ''): void {
  const text = outputText(value) ?? waitingText(value) ?? `${JSON.stringify(value)}\n`
  const lines = text.split('\n').map(plain)
  const shown =
    prefix === ''
      ? lines.join('\n')
      : whole(lines)
          .map((line) => `${prefix}${line}\n`)
          .join('')
  // Not waited for, like all talk; a stderr that is gone takes none.
  err(shown).catch(() => undefined)
}

/** A last newline ends a line and begins none. */
function whole(lines: readonly string[]): readonly string[] {
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

function plain(line: string): string {
  return line.split('\t').map(printable).join('\t')
}

function outputText(value: unknown): string | undefined {
  const { stream, text, skippedBytes } = (value ?? {}) as { stream?: unknown; text?: unknown; skippedBytes?: unknown }
  if (typeof stream !== 'string' || typeof text !== 'string') return undefined
  return typeof skippedBytes === 'number' ? `${text}\n(${skippedBytes} more bytes of ${stream}, not shown)\n` : text
}

/** Where to approve is said to who waits: he may be the one, or know him. */
function waitingText(value: unknown): string | undefined {
  const { approval } = (value ?? {}) as { approval?: unknown }
  if (typeof approval !== 'string') return undefined
  return `Waiting for approval. See it with \`muster approval show ${approval}\`, then \`muster approval approve ${approval}\`.\n`
}
