// `muster audit list`, and `muster node audit list`.

import { z } from 'zod'
import { AuditDecision, type AuditEntry, listAudit } from '../../contract/audit.ts'
import { failure } from '../../contract/errors.ts'
import { hostRef } from '../arguments.ts'
import { parseDuration } from '../duration.ts'
import type { Action, Outcome } from '../perform.ts'
import { type Column, showTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { hubLog, type LogSource, nodeLog } from './log.ts'

interface ListOptions {
  readonly actor?: string
  readonly action?: string
  readonly host?: string
  readonly decision?: string
  readonly since?: string
  readonly until?: string
  readonly limit?: number
  readonly before?: number
}

type List = Action<ListOptions, []>

export const listEntries: List = (terminal, options) => listFrom(hubLog, terminal, options)
export const listOwnEntries: List = (terminal, options) => listFrom(nodeLog, terminal, options)

async function listFrom(source: LogSource, terminal: Terminal, options: Parameters<List>[1]): Promise<Outcome> {
  const { actor, action, limit, before } = options
  const wanted = {
    ...(actor !== undefined && { actor }),
    ...(action !== undefined && { action }),
    ...(options.host !== undefined && { host: hostRef(options.host) }),
    ...(options.decision !== undefined && { decision: AuditDecision.parse(options.decision) }),
    ...(options.since !== undefined && { since: moment('--since', options.since) }),
    ...(options.until !== undefined && { until: moment('--until', options.until) }),
    ...(limit !== undefined && { limit }),
    ...(before !== undefined && { before }),
  }
  await using opened = await source(terminal)
  const found = await opened.log.call(listAudit, wanted)
  if (found.next !== null && !options.json) terminal.say(`There are older ones: --before ${found.next}`)
  if (options.json || found.entries.length === 0) return { json: found, text: 'No entries.' }
  return { json: found, text: showTable(columnsWith(await opened.hostNames()), found.entries, terminal) }
}

const columnsWith = (hostNames: ReadonlyMap<string, string>): readonly Column<AuditEntry>[] => [
  { title: 'N', cell: ({ n }) => String(n) },
  { title: 'AT', cell: ({ at }) => at },
  { title: 'WHO', cell: ({ actor }) => (actor.name === null ? actor.id : `${actor.name} (${actor.id})`) },
  { title: 'DECISION', cell: ({ decision, why }) => (why === null ? decision : `${decision}: ${why}`) },
  { title: 'ACTION', cell: ({ action }) => action },
  { title: 'HOST', cell: ({ host }) => (host === null ? '' : (hostNames.get(host) ?? host)) },
  { title: 'WHAT', cell: whatOf },
]

function whatOf({ subject, detail }: AuditEntry): string {
  const details = Object.entries(detail ?? {}).map(([name, value]) => `${name}=${String(value)}`)
  return [subject ?? '', ...details].filter((part) => part !== '').join(' ')
}

const IsoTime = z.iso.datetime({ offset: true, local: true }).or(z.iso.date())

function moment(option: string, text: string): string {
  const ms = parseDuration(text)
  if (ms !== undefined) return new Date(Date.now() - ms).toISOString()
  if (IsoTime.safeParse(text).success) return new Date(text).toISOString()
  throw failure('cli.usage', {
    problem: `The value of ${option} is no time or duration.`,
    hint: 'Write a duration back from now (2h) or a time (2026-01-31T08:00:00Z).',
  })
}
