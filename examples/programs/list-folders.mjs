// Prints the folders of a tree that hold source files, one a line: list-folders.mjs ROOT

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isSource } from './languages.mjs'

const skipped = new Set(['node_modules', 'dist', 'build', 'target', 'coverage', 'vendor'])

async function* sourceFolders(root, folder) {
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  if (entries.some((entry) => entry.isFile() && isSource(entry.name))) yield folder
  const inner = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !skipped.has(entry.name))
  for (const { name } of inner.sort((a, b) => (a.name < b.name ? -1 : 1))) yield* sourceFolders(root, join(folder, name))
}

for await (const folder of sourceFolders(process.argv[2] ?? '.', '.')) console.log(folder)
