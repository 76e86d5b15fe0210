// How this program is started again: as a child, and by the person who reads our hints. And where its own files are.

import { findPackageJSON } from 'node:module'
import { dirname, join, relative } from 'node:path'
import type { Terminal } from './terminal.ts'

/** Program and first argument that start the same muster: children need no PATH and no npm. */
export function selfCommand(): { node: string; script: string } {
  return { node: process.execPath, script: process.argv[1] ?? '' }
}

/** The directory of the package: a checkout, or where it is installed. */
export function packageRoot(): string {
  return dirname(findPackageJSON(import.meta.url) ?? import.meta.filename)
}

/** The words to type before a command, here and now: `muster`, or what works in a checkout, with the home that was given. */
export function selfInWords({ env, cwd }: Pick<Terminal, 'env' | 'cwd'>): string {
  const home = env.MUSTER_HOME ? `MUSTER_HOME=${quoted(env.MUSTER_HOME)} ` : ''
  const isInstalled = packageRoot().includes('/node_modules/')
  if (isInstalled) return `${home}muster`
  return (
    home +
    (env.npm_command === undefined ? quoted(join(relative(cwd, packageRoot()) || '.', 'bin', 'muster.js')) : 'npm exec muster --')
  )
}

/** As a word for a shell. */
export function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
