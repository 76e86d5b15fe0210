// Reads who imports whom in src/, type imports included. Used by the import check; knows nothing of the rules.
// oxc-parser reads the sources, because TypeScript 7 no longer offers the compiler API that other tools of this kind need.

import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { parseSync } from 'oxc-parser'
import { filesBelow, root } from '../files.ts'

export interface Import {
  /** A file of ours as a path from the root, or a package's name. */
  readonly target: string
  readonly isOurs: boolean
}

/** Paths from the root, each with what it imports. */
export type Graph = ReadonlyMap<string, readonly Import[]>

export function readGraph(): Graph {
  return new Map(filesBelow('src', '.ts').map((file) => [file, importsOf(file, readFileSync(join(root, file), 'utf8'))]))
}

/** What `source` imports or re-exports, statically, with `import()`, or in a type. Throws where a target is not a literal. */
export function importsOf(file: string, source: string): Import[] {
  const { program, module, errors } = parseSync(file, source)
  if (errors[0]) throw new Error(`${file}: ${errors[0].message}`)
  const requests = [
    ...module.staticImports.map((one) => one.moduleRequest.value),
    ...module.staticExports.flatMap((one) => one.entries.flatMap((entry) => entry.moduleRequest?.value ?? [])),
    ...dynamicRequests(file, program),
  ]
  return [...new Set(requests)].map((request) => resolve(file, request))
}

/** `import('x')` as an expression and as a type, which the module record does not list by value. */
function dynamicRequests(file: string, node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap((child) => dynamicRequests(file, child))
  if (typeof node !== 'object' || node === null) return []
  const { type, source } = node as { type?: unknown; source?: { value?: unknown } }
  const below = Object.values(node).flatMap((child) => dynamicRequests(file, child))
  if (type !== 'ImportExpression' && type !== 'TSImportType') return below
  if (typeof source?.value !== 'string') throw new Error(`${file} imports something computed: the import check cannot follow it`)
  return [source.value, ...below]
}

function resolve(file: string, request: string): Import {
  if (request.startsWith('.')) return { target: relative(root, join(root, dirname(file), request)), isOurs: true }
  if (request.startsWith('node:')) return { target: request, isOurs: false }
  const parts = request.split('/')
  return { target: parts.slice(0, request.startsWith('@') ? 2 : 1).join('/'), isOurs: false }
}
