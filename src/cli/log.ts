// The log of a hub or node in the foreground: readable lines on a screen, JSON lines for everything else.

import { type Logger, pino } from 'pino'
import { printable } from './printable.ts'

/** Whether people read what is on stderr, and no program. */
export function isOnScreen(): boolean {
  return process.stderr.isTTY === true
}

/** Writes to stderr. MUSTER_LOG sets the level: debug, info (the default), warn, error. */
export function openLog(env: NodeJS.ProcessEnv, screen = isOnScreen()): Logger {
  const readably = { write: (line: string) => void process.stderr.write(readable(line)) }
  return pino(optionsFor(env), screen ? readably : pino.destination({ dest: 2, sync: true }))
}

/** Appends to a file that only this account can read, for a process whose screen shows something else. */
export function openFileLog(file: string, env: NodeJS.ProcessEnv): Logger {
  return pino(optionsFor(env), pino.destination({ dest: file, sync: true, mkdir: true, mode: 0o600 }))
}

function optionsFor(env: NodeJS.ProcessEnv) {
  const level = env.MUSTER_LOG ?? ''
  return {
    level: ['debug', 'info', 'warn', 'error'].includes(level) ? level : 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
  }
}

const levels: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info ', 40: 'warn ', 50: 'error', 60: 'fatal' }

/** `08:15:02 info  joined the hub  host=host_… name=web-1` */
export function readable(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>
  const fields = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const words = [
    String(time).slice(11, 19),
    levels[Number(level)] ?? '',
    printable(String(msg ?? '')),
    printable(fields.join(' ')),
  ]
  return `${words
    .filter((word) => word !== '')
    .join(' ')
    .trimEnd()}\n`
}
