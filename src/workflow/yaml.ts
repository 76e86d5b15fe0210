// YAML text as plain values that remember where they stand. Only here is the yaml package known.
// Aliases are followed within a budget, so a file that unfolds to billions of nodes is refused, not unfolded.

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type ParsedNode,
  parseDocument,
  type Scalar,
} from 'yaml'
import { limits } from './limits.ts'
import type { Problem } from './problem.ts'

export type Path = readonly (string | number)[]

/** A value of the file. `entries` and `items` hold the places of what is inside it. */
interface Located {
  readonly value: unknown
  /** In characters from the beginning of the source. */
  readonly offset: number
  readonly scalar?: Scalar
  readonly entries?: ReadonlyMap<string, Entry>
  readonly items?: readonly Located[]
}

interface Entry {
  readonly keyOffset: number
  readonly located: Located
}

export interface YamlFile {
  readonly source: string
  readonly root: Located
  readonly problems: readonly Problem[]
}

export function readYaml(source: string): YamlFile {
  // Comparing all keys with each other is quadratic in the yaml package (40,000 keys took 23 s); locate() does it by a map.
  const document = parseDocument(source, { uniqueKeys: false, logLevel: 'error' })
  const problems: Problem[] = [...document.errors, ...document.warnings].slice(0, 1).map((error) => ({
    offset: error.pos[0],
    problem: error.code === 'RESOURCE_EXHAUSTION' ? 'the values are nested too deeply' : sentence(error.message),
    fix: yamlFixes[error.code] ?? 'Correct the YAML here; an editor with YAML support shows the same place.',
  }))
  const empty: Located = { value: null, offset: 0 }
  if (problems.length > 0) return { source, root: empty, problems }
  const root = document.contents ? locate(document, document.contents, problems) : empty
  return { source, root, problems }
}

/** The place of a path, or of the nearest thing around it that is there. */
export function offsetAt(file: YamlFile, path: Path): number {
  let at = file.root
  let offset = at.offset
  for (const key of path) {
    const inside = typeof key === 'number' ? at.items?.[key] : at.entries?.get(key)?.located
    if (!inside) return offset
    at = inside
    offset = at.offset
  }
  return offset
}

/** The place of a field's name. */
export function keyOffsetAt(file: YamlFile, path: Path, key: string): number {
  return locatedAt(file, path)?.entries?.get(key)?.keyOffset ?? offsetAt(file, [...path, key])
}

export function locatedAt(file: YamlFile, path: Path): Located | undefined {
  let at: Located | undefined = file.root
  for (const key of path) at = typeof key === 'number' ? at?.items?.[key] : at?.entries?.get(key)?.located
  return at
}

/** A scalar as text: what was written, so that `1.10` stays `1.10`. */
export function textAt(file: YamlFile, path: Path): string {
  const { scalar, value } = locatedAt(file, path) ?? {}
  return typeof value === 'string' ? value : (scalar?.source ?? String(value))
}

/**
 * Where a piece of a scalar's text stands in the source. Quotes, folding and block indentation change the distances, so the piece
 * is found again by itself: its n-th occurrence in the text is its n-th in the source. Where an escape hides it: the start.
 */
export function offsetInside(file: YamlFile, path: Path, piece: { offset: number; length: number }): number {
  const scalar = locatedAt(file, path)?.scalar
  const [start, end] = scalar?.range ?? []
  const text = textAt(file, path)
  if (start === undefined || end === undefined) return offsetAt(file, path)
  const line = text.slice(piece.offset, piece.offset + Math.max(piece.length, 1)).split('\n')[0] ?? ''
  if (line === '') return start
  const raw = file.source.slice(start, end)
  const nth = text.slice(0, piece.offset + line.length).split(line).length - 1
  let at = -1
  for (let i = 0; i < Math.min(nth, 1000); i++) at = raw.indexOf(line, at + 1)
  return at < 0 ? start : start + at
}

function locate(document: Document.Parsed, contents: ParsedNode, problems: Problem[]): Located {
  let budget = limits.nodes
  // Finding an anchor searches the document: once for each alias, not for each time that it is passed.
  const targets = new Map<Alias, Node | undefined>()

  const visit = (node: Node | null, depth: number, fallback: number): Located => {
    const [start, end] = node?.range ?? []
    // Nothing was written where a value could be: the field's name is the place to show.
    const offset = start === undefined || start === end ? fallback : start
    if (problems.length > 0) return { value: null, offset }
    if (--budget < 0)
      return refuse(
        offset,
        `the file has more than ${limits.nodes} values, aliases counted where they are used`,
        'Split it into smaller workflows, or use fewer aliases.',
      )
    if (depth > limits.depth)
      return refuse(
        offset,
        'the values are nested too deeply, or an alias contains itself',
        `A workflow needs no more than ${limits.depth} levels.`,
      )
    if (isAlias(node)) {
      const target = targets.get(node) ?? node.resolve(document)
      targets.set(node, target)
      if (!target)
        return refuse(
          offset,
          `there is no anchor &${node.source} before this alias`,
          'Define the anchor first, or write the value here.',
        )
      // An alias stands where it is used: problems in what it means are shown at its use.
      return { ...visit(target, depth + 1, offset), offset }
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => visit(item as Node, depth + 1, offset))
      return { value: items.map((item) => item.value), offset, items }
    }
    if (isMap(node)) {
      const entries = new Map<string, Entry>()
      for (const pair of node.items) {
        const key = pair.key as Node | null
        const keyOffset = key?.range?.[0] ?? offset
        if (!isScalar(key) || typeof key.value !== 'string') {
          refuse(
            keyOffset,
            'the name of a field is not text',
            'Write a plain word before the colon; put numbers and words like null in quotes.',
          )
        } else if (entries.has(key.value)) {
          refuse(keyOffset, `"${key.value}" is written twice`, 'Remove one of the two.')
        } else {
          entries.set(key.value, { keyOffset, located: visit(pair.value as Node | null, depth + 1, keyOffset) })
        }
      }
      // fromEntries makes own properties even of names like __proto__.
      return { value: Object.fromEntries([...entries].map(([name, entry]) => [name, entry.located.value])), offset, entries }
    }
    return isScalar(node) ? { value: node.value, offset, scalar: node } : { value: null, offset }
  }

  const refuse = (offset: number, problem: string, fix: string): Located => {
    problems.push({ offset, problem, fix })
    return { value: null, offset }
  }

  return visit(contents, 0, 0)
}

const yamlFixes: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'Indent with spaces.',
  BLOCK_AS_IMPLICIT_KEY: 'Put the text that holds a colon into quotes, or begin the inner fields on their own line.',
  MULTILINE_IMPLICIT_KEY: 'Put each field on its own line, indented like its neighbours.',
  MISSING_CHAR: 'Add the closing quote, bracket or colon.',
  MULTIPLE_DOCS: 'Keep one workflow in a file: remove the line of three dashes.',
  TAG_RESOLVE_FAILED: 'Remove the tag: workflow files are plain YAML. Text that begins with "!" goes into quotes.',
  BAD_INDENT: 'Indent it more than the field that it belongs to, and close its brackets.',
}

// "Map keys must be unique at line 2, column 1:\n\n…" without the place, which is told apart.
function sentence(message: string): string {
  const text = message.split(/ at line \d+, column \d+/)[0] ?? message
  return `the YAML cannot be read: ${text.replace(/\.$/, '')}`
}
