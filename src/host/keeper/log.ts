// The keeper's log: JSON lines to its standard error, which is keeper.log. Its own life and troubles, never a process's secrets.
// Not pino, because the keeper is started on the way of a run and should be there within some tens of ms.

import { writeSync } from 'node:fs'

export interface KeeperLog {
  info(message: string, details?: Readonly<Record<string, unknown>>): void
  error(message: string, details?: Readonly<Record<string, unknown>>): void
}

export const keeperLog: KeeperLog = {
  info: (message, details) => write('info', message, details),
  error: (message, details) => write('error', message, details),
}

function write(level: string, message: string, details: Readonly<Record<string, unknown>> = {}): void {
  const line = { time: new Date().toISOString(), level, message, ...details }
  try {
    writeSync(2, `${JSON.stringify(line, (_, value) => (value instanceof Error ? value.message : value))}\n`)
  } catch {
    // A full disk costs the line and not the keeper, which holds every process's exit.
  }
}
