// Records edited by hand while the hub runs: the folder is watched, and what changed there is taken up once it has been quiet a moment.
// A record that became unreadable changes nothing but what is reported; one that was deleted closes its link, and its credential stays
// until the host is removed, for an editor may only have put the file aside.

import type { Logger } from 'pino'
import { unusableNow } from '../connectors/dial-in.ts'
import { asMusterError, failure } from '../contract/errors.ts'
import { describeFileProblem } from '../contract/file-problem.ts'
import { type Fleet, type FleetHost, isLocal } from './fleet.ts'
import type { HostDoor } from './host-door.ts'
import type { OpenHosts } from './open-hosts.ts'
import { HostId, type HostRecord, type Registry, type Trouble } from './registry.ts'
import { watchFolder } from './watch-folder.ts'

export interface Records extends AsyncDisposable {
  /** What is wrong with the records now, by file. */
  troubles(): Promise<Trouble[]>
  /** A host that is not served, by its id or name: its record was deleted by hand, cannot be used, or (by its id alone) cannot be read. */
  unserved(ref: string): Promise<Unserved | undefined>
  forget(id: string): void
}

/** The name is the id where nobody can read it any more. */
export type Unserved = Pick<HostRecord, 'id' | 'name'>

export interface RecordsOf {
  readonly registry: Registry
  readonly fleet: Fleet
  readonly hosts: OpenHosts
  readonly door: HostDoor
  readonly oneAtATime: <T>(work: () => Promise<T>) => Promise<T>
  readonly log: Logger
}

/** Resolves once every readable record is open. */
export async function followRecords({ registry, fleet, hosts, door, oneAtATime, log }: RecordsOf): Promise<Records> {
  const deleted = new Map<string, HostRecord>()
  /** What a connector has against its own record, by host id. */
  const refused = new Map<string, string>()

  await takeUp({ first: true })
  const watcher = watchFolder(registry.dir, {
    onChange: () => oneAtATime(() => takeUp({ first: false })),
    onBroken: (error) =>
      log.error(
        { dir: registry.dir, error: asMusterError(error).toValue() },
        'the folder of host records does not tell of changes any more: hosts stay as they are, and it is looked at now and then',
      ),
  })

  async function takeUp({ first }: { first: boolean }): Promise<void> {
    const { records, corrupt } = await registry.read()
    for (const record of records) await takeUpOne(record, first)
    if (first) return
    const there = new Set([...records.map(({ id }) => id), ...corrupt.flatMap(({ about }) => about)])
    for (const host of fleet.all()) if (!isLocal(host) && !there.has(host.id)) await closeDeleted(host)
  }

  async function takeUpOne(record: HostRecord, first: boolean): Promise<void> {
    try {
      const how = await hosts.apply(record)
      deleted.delete(record.id)
      refused.delete(record.id)
      if (how !== 'same' && !first) log.info({ host: record.name, id: record.id, how }, 'a host record was edited by hand')
    } catch (error) {
      const { message } = asMusterError(error)
      refused.set(record.id, message.replace(/\.$/, ''))
      log.warn({ host: record.name, id: record.id, reason: message }, 'a host record cannot be used')
    }
  }

  async function closeDeleted(host: FleetHost): Promise<void> {
    const record = hosts.recordOf(host)
    if (record) deleted.set(host.id, record)
    const { id, name } = host
    log.warn(
      { host: name, id },
      'a host record was deleted by hand: the link is closed, the credential is kept until it is removed',
    )
    await hosts.close(host, unusableNow())
    door.forget(host, failure('host.unknown', { host: name }))
  }

  async function onDisk(): ReturnType<Registry['read']> {
    return registry.read().catch((error: Error) => ({
      records: [],
      corrupt: [{ file: registry.dir, about: [], problem: describeFileProblem(error) }],
    }))
  }

  async function troubles(): Promise<Trouble[]> {
    const { records, corrupt } = await onDisk()
    return [
      ...corrupt.map(({ file, problem }) => ({ file, problem })),
      ...records.flatMap((record) => {
        const problem = refused.get(record.id) ?? nameTrouble(record)
        return problem === undefined ? [] : [{ file: registry.fileOf(record.id), problem }]
      }),
      ...[...deleted.values()].map(({ id, name }) => ({ file: registry.fileOf(id), problem: deletedSentence(name) })),
    ]
  }

  async function unserved(ref: string): Promise<Unserved | undefined> {
    const { records, corrupt } = await onDisk()
    const known = [...deleted.values(), ...records.filter(({ id }) => refused.has(id) && !fleet.byId(id))]
    const found = known.find(({ id }) => id === ref) ?? known.find(({ name }) => name === ref)
    if (found) return { id: found.id, name: found.name }
    // Its file is taken away by its name: that must be one that this hub has given.
    const unreadable = corrupt.find(({ file }) => file === registry.fileOf(ref) && !fleet.byId(ref))
    return unreadable && HostId.safeParse(ref).success ? { id: ref, name: ref } : undefined
  }

  function nameTrouble({ id, name }: HostRecord): string | undefined {
    const owner = fleet.named(name)
    if (!owner || owner.id === id) return undefined
    return `its name ${name} is also that of ${owner.id}: say its id, or rename one of the two`
  }

  return {
    troubles,
    unserved,
    forget(id) {
      deleted.delete(id)
      refused.delete(id)
    },
    [Symbol.asyncDispose]: () => watcher[Symbol.asyncDispose](),
  }
}

function deletedSentence(name: string): string {
  return `it was deleted while the hub ran, so the link of ${name} is closed: put it back, or remove the host`
}
