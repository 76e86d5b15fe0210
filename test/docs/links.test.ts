// Holds what the documents say to the tree: links lead somewhere, files that are named exist, every example is tried.

import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { filesBelow, root } from '../../scripts/files.ts'

const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')]
const ourFolders = ['.ci', 'bench', 'bin', 'docs', 'examples', 'schemas', 'scripts', 'src', 'test']

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function exists(path: string): boolean {
  return existsSync(join(root, path))
}

test.each(documents)('every link of %s leads to a file and a heading', (document) => {
  const broken = [...read(document).matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => {
      const [path = '', heading] = link.split('#')
      const target = path === '' ? document : join(dirname(document), path)
      return !exists(target) || (heading !== undefined && !headingsOf(target).includes(heading))
    })
  expect(broken).toEqual([])
})

test.each(documents)('every file that %s names in passing exists', (document) => {
  const named = [...read(document).matchAll(/`((?:[.\w-]+\/)+[.\w-]*)`/g)].map(([, path = '']) => path)
  expect(named.filter((path) => ourFolders.includes(path.split('/')[0] ?? '')).filter((path) => !exists(path))).toEqual([])
})

test('every document that the sources point at exists', () => {
  const named = filesBelow('src', '.ts').flatMap((file) =>
    [...read(file).matchAll(/\bdocs\/[\w./-]+\.md\b/g)].map(([path]) => path),
  )
  expect([...new Set(named)].filter((path) => !exists(path))).toEqual([])
})

test('every example is tried by a test', () => {
  const examples = filesBelow('examples', '').filter((file) => !file.endsWith('.md'))
  const tests = [...filesBelow('test', '.test.ts'), ...filesBelow('src', '.test.ts')].map(read)
  const tried = new Set(examples.filter((example) => tests.some((text) => text.includes(basename(example)))))
  // What a tried example names is tried with it: a workflow's programs, and what those import. A set is walked as it grows.
  for (const one of tried) for (const other of examples) if (read(one).includes(basename(other))) tried.add(other)
  expect(examples.filter((example) => !tried.has(example))).toEqual([])
})

/** As the web shows them: lower case, spaces as dashes, most signs dropped. */
function headingsOf(document: string): string[] {
  return [...read(document).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => {
    return title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-')
  })
}
