// Counts the source files directly in one folder: survey-folder.mjs ROOT FOLDER
// Each file is told on standard error as it is read; the folder's sum is the one line on standard output.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { countLines, isSource } from './languages.mjs'

const [root = '.', folder = '.'] = process.argv.slice(2)
const names = (await readdir(join(root, folder))).filter(isSource).sort()

const sum = { files: 0, code: 0, comment: 0, blank: 0 }
for (const name of names) {
  const { code, comment, blank } = countLines(name, await readFile(join(root, folder, name), 'utf8'))
  console.error(`${join(folder, name)}: ${code} code, ${comment} comment, ${blank} blank`)
  sum.files += 1
  sum.code += code
  sum.comment += comment
  sum.blank += blank
}
console.log(`${folder}: ${sum.files} files, ${sum.code} code, ${sum.comment} comment, ${sum.blank} blank`)
