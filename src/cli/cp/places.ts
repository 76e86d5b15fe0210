// What the words of `muster cp` mean: HOST:PATH, or a path here. As with scp, a colon before any slash ends a host's name.

import { realpath } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import type { HubClient } from '../../sdk/client.ts'
import type { CopyRequest } from '../../transfer/copy.ts'
import { blocking } from '../../transfer/disk/small-files.ts'
import { filesHere } from '../../transfer/here.ts'
import type { Side } from '../../transfer/side.ts'
import { hostRef } from '../arguments.ts'

type Places = Pick<CopyRequest, 'sources' | 'target' | 'intoDirectory'>

export async function readPlaces(
  cwd: string,
  client: Pick<HubClient, 'host' | 'hub'>,
  words: readonly string[],
): Promise<Places> {
  const here: Side = { caller: filesHere({ smallFiles: blocking }), name: '', id: hostname() }
  const sides = new Map<string, Side>()
  const sideOf = (name: string): Side => {
    const known = sides.get(name) ?? { caller: client.host(name), name, id: name, behind: { hub: client.hub } }
    sides.set(name, known)
    return known
  }
  const last = words.at(-1) ?? ''
  const [host, path] = parse(last)
  return {
    sources: await Promise.all(
      words.slice(0, -1).map(async (word) => {
        const [from, named] = parse(word)
        if (from !== undefined) return { side: sideOf(from), path: named }
        return { side: here, path: await sourceHere(cwd, named), name: basename(resolve(cwd, named)) }
      }),
    ),
    target: host === undefined ? { side: here, path: await targetHere(cwd, path) } : { side: sideOf(host), path },
    intoDirectory: /(^|\/)\.{0,2}$/.test(path),
  }
}

function parse(word: string): [host: string | undefined, path: string] {
  const cut = /^([^/:]+):(.*)$/s.exec(word)
  if (!cut) return [undefined, word]
  return [hostRef(cut[1] ?? ''), cut[2] ?? '']
}

/** What was named here may itself be a link, as with any command. */
async function sourceHere(cwd: string, path: string): Promise<string> {
  const whole = resolve(cwd, path)
  try {
    return await realpath(whole)
  } catch (error) {
    throw failure('file.unreadable', { file: path, problem: describeFileProblem(error) }, { cause: error })
  }
}

/** It need not be there; its directory has to. */
async function targetHere(cwd: string, path: string): Promise<string> {
  const whole = resolve(cwd, path)
  const found = await realpath(whole).catch(() => undefined)
  if (found !== undefined) return found
  try {
    return join(await realpath(dirname(whole)), basename(whole))
  } catch (error) {
    throw failure('file.unwritable', { file: path, problem: describeFileProblem(error) }, { cause: error })
  }
}
