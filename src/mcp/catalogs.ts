// What hosts offer, read from each of them at once and kept for a moment: a model that looks twice asks them once. A host that does not
// answer in time is shown without its commands, and its answer is there for who looks again.

import { type CommandEntry, listCommands } from '../contract/command.ts'
import { asMusterError } from '../contract/errors.ts'
import type { HostRow } from '../contract/host.ts'
import type { ToolFleet } from './fleet.ts'
import { oneLine } from './words.ts'

export interface Offered {
  /** Null while nobody knows. */
  readonly commands: readonly CommandEntry[] | null
  readonly problem: string | null
}

export interface Catalogs {
  /** What these hosts offer this asker, by their ids. Takes no longer than a moment, whoever does not answer. */
  read(fleet: ToolFleet, asker: string, hosts: readonly HostRow[]): Promise<ReadonlyMap<string, Offered>>
}

const freshMs = 20_000
const waitMs = 2_000
/** A host that polls may take so long. */
const answerMs = 30_000
const mostKept = 2_000
const mostAtOnce = 64
const longestProblem = 300
const unknown: Offered = { commands: null, problem: null }
const late: Offered = { commands: null, problem: 'it has not answered yet' }

interface Kept {
  readonly answer: Promise<Offered>
  /** Until when it is good; not set while it is being read. */
  untilMs?: number
}

export function openCatalogs(): Catalogs {
  const kept = new Map<string, Kept>()

  function ask(fleet: ToolFleet, key: string, host: HostRow): Promise<Offered> {
    const known = kept.get(key)
    if (known && performance.now() < (known.untilMs ?? Number.POSITIVE_INFINITY)) return known.answer
    const one: Kept = { answer: readOne(fleet, host) }
    kept.delete(key)
    kept.set(key, one)
    void one.answer.then(({ problem }) => {
      one.untilMs = performance.now() + (problem === null ? freshMs : 0)
    })
    const oldest = kept.keys().next()
    if (kept.size > mostKept && !oldest.done) kept.delete(oldest.value)
    return one.answer
  }

  return {
    async read(fleet, asker, hosts) {
      const read = new Map<string, Offered>()
      const next = hosts.filter(({ status }) => status === 'online').values()
      const readOn = async () => {
        for (const host of next) read.set(host.id, await ask(fleet, `${asker} ${host.id}`, host))
      }
      const enough = Promise.withResolvers<void>()
      const timer = setTimeout(enough.resolve, waitMs)
      await Promise.race([Promise.all(Array.from({ length: mostAtOnce }, readOn)), enough.promise])
      clearTimeout(timer)
      return new Map(hosts.map(({ id, status }) => [id, read.get(id) ?? (status === 'online' ? late : unknown)]))
    },
  }
}

async function readOne(fleet: ToolFleet, { id }: HostRow): Promise<Offered> {
  try {
    const host = await fleet.host(id)
    const { commands } = await host.call(listCommands, {}, { timeoutMs: answerMs })
    return { commands, problem: null }
  } catch (error) {
    return { commands: null, problem: oneLine(asMusterError(error).message, longestProblem) }
  }
}
