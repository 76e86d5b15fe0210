// What the import graph must look like. Each rule answers with sentences that name the file, the rule and the way out.

import { foldersIn } from '../files.ts'
import type { Graph } from './graph.ts'
import { layers, packageOwners } from './layers.ts'

/** Every break of a rule, as a sentence. Tests may import any layer, but nothing imports a test. */
export function importProblems(graph: Graph, folders = foldersIn('src')): string[] {
  return [
    ...unlistedFolders(folders),
    ...[...graph].flatMap(([file, imports]) =>
      imports.flatMap(({ target, isOurs }) => (isOurs ? ourImportProblems(file, target) : packageProblems(file, target))),
    ),
    ...cycles(graph).map(describeCycle),
  ]
}

function unlistedFolders(folders: readonly string[]): string[] {
  return [
    ...folders.filter((folder) => !layers[folder]).map((folder) => `src/${folder}/ has no row in scripts/imports/layers.ts.`),
    ...Object.keys(layers)
      .filter((folder) => !folders.includes(folder))
      .map((folder) => `scripts/imports/layers.ts has a row for src/${folder}/, which does not exist.`),
  ]
}

function ourImportProblems(file: string, target: string): string[] {
  if (isTest(file)) return []
  if (isTest(target)) return [`${file} imports the test ${target}.`]
  const from = layerOf(file)
  const to = layerOf(target)
  // The version stands in package.json alone.
  if (target === 'package.json') return []
  if (!from || !to) return [`${file} imports ${target}: sources import only sources.`]
  const carrier = carrierProblem(file, target)
  if (carrier) return [carrier]
  const layer = layers[from]
  if (!layer || from === to || layer.mayImport.includes(to) || layer.entryPoints?.includes(target)) return []
  const allowed = [...layer.mayImport, ...(layer.entryPoints ?? [])].join(', ') || 'nothing of ours'
  return [`${file} imports ${target}, but src/${from}/ may import ${allowed} (scripts/imports/layers.ts).`]
}

/** The lists of carriers: the hub's side, the host's side, the registry's, the command line's. */
const carrierTables = ['table', 'links', 'config', 'flags'].map((list) => `src/connectors/${list}.ts`)

/** A carrier's folder is named by those and by itself, so that a new carrier touches nothing else. */
function carrierProblem(file: string, target: string): string | undefined {
  const carrier = /^src\/connectors\/[^/]+\//.exec(target)?.[0]
  if (!carrier || file.startsWith(carrier) || carrierTables.includes(file)) return undefined
  return `${file} names the carrier ${carrier}: only ${carrierTables.join(' and ')} may; go through them, or move the shared part up.`
}

function packageProblems(file: string, name: string): string[] {
  const owners = packageOwners[name]
  const from = layerOf(file)
  if (!owners || !from || isTest(file) || owners.includes(from)) return []
  return [`${file} imports ${name}, which only ${owners.map((owner) => `src/${owner}/`).join(' and ')} may know.`]
}

/** One cycle for each back edge that a depth-first walk meets; type imports count, since they tie files together as well. */
export function cycles(graph: Graph): string[][] {
  const found: string[][] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): void => {
    const at = path.indexOf(file)
    if (at !== -1) return void found.push(path.slice(at))
    if (done.has(file)) return
    path.push(file)
    for (const { target, isOurs } of graph.get(file) ?? []) if (isOurs) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of graph.keys()) visit(file)
  return found
}

function describeCycle(cycle: readonly string[]): string {
  return `These files import each other in a circle: ${[...cycle, cycle[0]].join(' -> ')}.`
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.startsWith('test/')
}

function layerOf(file: string): string | undefined {
  return /^src\/([^/]+)\//.exec(file)?.[1]
}
