// Starts the keeper's process, so that it outlives this one: own session, own log, nothing of ours that could close under it.

import { spawn } from 'node:child_process'
import { closeSync, openSync, renameSync, statSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { environmentFor } from '../environment.ts'
import type { HostHome } from '../home.ts'

/** From source and from the built package alike. In the package this file is a part of another, and only entries are where they were. */
const folder = extname(import.meta.url) === '.ts' ? 'src' : 'dist'
const root = dirname(findPackageJSON(import.meta.url) ?? import.meta.filename)
const entry = join(root, folder, `host/keeper/main${extname(import.meta.url)}`)

const largestLogBytes = 1024 * 1024

/** The promise resolves if the process ends: with its code, or why it could not be started. */
export function startKeeper(home: HostHome): Promise<string> {
  keepLogShort(home.keeperLog)
  const log = openSync(home.keeperLog, 'a', 0o600)
  try {
    const child = spawn(process.execPath, [entry, home.dir], {
      cwd: home.dir,
      env: environmentFor(process.env, {}, {}),
      detached: true,
      stdio: ['ignore', log, log],
    })
    child.unref()
    return new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}`))
    })
  } finally {
    closeSync(log)
  }
}

function keepLogShort(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > largestLogBytes) renameSync(file, `${file}.old`)
}
