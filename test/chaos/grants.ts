// What a job can have been through, told by its grants: each claim that was given out, and how it came to its end. Answers are checked
// against every history that fits what was told before, so that what was asked at the same time may have happened in any order.
// It shares nothing with the store that it checks: no state column, no setter, only what the answers said.

interface Grant {
  readonly owner: string
  readonly fence: number
  readonly until: string
  readonly over: boolean
}

/** One job, as those who ask about it know it. */
interface History {
  readonly run: string | undefined
  readonly fingerprint: string
  readonly expiresAt: string
  /** In the order in which they were given. */
  readonly grants: readonly Grant[]
  readonly started: boolean
  readonly ended: boolean
}

/** Something that was asked, with its answer. `done` is the store's word that it has happened. */
export type Told =
  | {
      readonly did: 'submit'
      readonly run: string
      readonly fingerprint: string
      readonly expiresAt: string
      readonly to: Submitted
    }
  | {
      readonly did: 'claim'
      readonly owner: string
      readonly until: string
      readonly fence: number | undefined
      readonly full: boolean
    }
  | { readonly did: 'renew'; readonly owner: string; readonly fence: number; readonly until: string; readonly done: boolean }
  | { readonly did: 'release' | 'start' | 'fail'; readonly owner: string; readonly fence: number; readonly done: boolean }
  | { readonly did: 'end' | 'cancel'; readonly done: boolean }
  | { readonly did: 'sweep'; readonly now: string; readonly moved: 'requeued' | 'expired' | undefined }

export type Submitted = { readonly created: boolean; readonly run: string } | 'run.conflict'

/** How the job stands in the store; undefined if it is not there. */
export type Standing =
  | {
      readonly state: string
      readonly run: string
      readonly owner: string | null
      readonly fence: number
      readonly until: string | null
    }
  | undefined

export interface JobWatch {
  /** Takes in what was asked at the same time, with the answers. Throws if no order of it explains them. */
  take(told: readonly Told[]): void
  /** Compares with what is stored now. Throws if no history comes to that. */
  compare(standing: Standing): void
}

const unheardOf: History = { run: undefined, fingerprint: '', expiresAt: '', grants: [], started: false, ended: false }

export function watchJob(): JobWatch {
  let possible: readonly History[] = [unheardOf]
  const log: string[] = []

  return {
    take(told) {
      if (told.length === 0) return
      log.push(told.map((one) => JSON.stringify(one)).join('  beside  '))
      const alone = told.length === 1
      const next = new Map<string, History>()
      for (const before of possible)
        for (const order of orders(told)) {
          const after = order.reduce<History | undefined>((history, one) => history && follow(history, one, alone), before)
          if (after) next.set(JSON.stringify(after), after)
        }
      if (next.size === 0) throw new Error(`nothing explains the last of these answers:\n${log.join('\n')}`)
      possible = [...next.values()]
    },
    compare(standing) {
      possible = possible.filter((history) => comesTo(history, standing))
      if (possible.length === 0) throw new Error(`these answers do not come to ${JSON.stringify(standing)}:\n${log.join('\n')}`)
    },
  }
}

/** The history after one more answer; undefined if that answer cannot have been given. */
function follow(job: History, told: Told, alone: boolean): History | undefined {
  const last = job.grants.at(-1)
  const held = last && !last.over ? last : undefined
  const waits = job.run !== undefined && !job.started && !job.ended && !held

  switch (told.did) {
    case 'submit': {
      const { to, run, fingerprint, expiresAt } = told
      if (job.run === undefined)
        return to !== 'run.conflict' && to.created && to.run === run ? { ...job, run, fingerprint, expiresAt } : undefined
      if (fingerprint !== job.fingerprint) return to === 'run.conflict' ? job : undefined
      return to !== 'run.conflict' && !to.created && to.run === job.run ? job : undefined
    }
    case 'claim': {
      const { owner, fence, until, full } = told
      // Whoever looked a moment before, or has claimed as many as it wanted, may leave it.
      if (fence === undefined) return waits && alone && !full ? undefined : job
      if (!waits || fence <= (last?.fence ?? 0)) return undefined
      return { ...job, grants: [...job.grants, { owner, fence, until, over: false }] }
    }
    case 'renew':
    case 'release':
    case 'start':
    case 'fail': {
      const mine = held !== undefined && held.owner === told.owner && held.fence === told.fence
      if (told.done !== mine) return undefined
      if (!mine) return job
      if (told.did === 'renew') return { ...job, grants: job.grants.with(-1, { ...held, until: told.until }) }
      return { ...job, grants: closed(job.grants), started: told.did === 'start', ended: told.did === 'fail' }
    }
    case 'end':
    case 'cancel': {
      const may = told.did === 'end' ? job.run !== undefined && !job.ended : waits
      if (told.done !== may) return undefined
      return may ? { ...job, grants: closed(job.grants), ended: true } : job
    }
    case 'sweep': {
      const lapsed = held !== undefined && held.until < told.now
      const expired = waits && job.expiresAt < told.now
      if (told.moved === 'requeued') return lapsed ? { ...job, grants: closed(job.grants) } : undefined
      if (told.moved === 'expired') return expired ? { ...job, ended: true } : undefined
      return alone && (lapsed || expired) ? undefined : job
    }
  }
}

function closed(grants: readonly Grant[]): readonly Grant[] {
  return grants.map((grant) => (grant.over ? grant : { ...grant, over: true }))
}

function comesTo({ run, grants, started, ended }: History, standing: Standing): boolean {
  if (run === undefined || standing === undefined) return run === undefined && standing === undefined
  const held = grants.find(({ over }) => !over)
  const state = ended ? 'ended' : started ? 'started' : held ? 'claimed' : 'queued'
  return (
    standing.run === run &&
    standing.state === state &&
    standing.fence === (grants.at(-1)?.fence ?? 0) &&
    standing.owner === (held?.owner ?? null) &&
    standing.until === (held?.until ?? null)
  )
}

function orders<T>(things: readonly T[]): (readonly T[])[] {
  if (things.length <= 1) return [things]
  return things.flatMap((first, at) => orders(things.toSpliced(at, 1)).map((rest) => [first, ...rest]))
}
