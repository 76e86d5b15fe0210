// The names of the objects, below the bucket's prefix. Anything else in the bucket is not ours and is passed over.
//
//     q/job/RUN            the hub: a run to start                 up/WORKER/beat     the worker: that it lives, and how
//     q/ask/ID             the hub: something asked                up/WORKER/N        the worker: what has happened, segment N from 1
//     q/claim/RUN~FENCE    a worker: the run is mine, or the ask of that ID
//     q/done               the hub: runs whose jobs are over
//
// Each side finds all that is new to it with one listing: `q/` for a worker, `up/` for the hub.

export const queuePrefix = 'q/'
export const newsPrefix = 'up/'
export const doneKey = 'q/done'

export const jobKey = (run: string): string => `q/job/${run}`
export const askKey = (id: string): string => `q/ask/${id}`
export const claimKey = (run: string, fence: number): string => `q/claim/${run}~${fence}`
export const beatKey = (worker: string): string => `up/${worker}/beat`
export const segmentKey = (worker: string, number: number): string => `up/${worker}/${String(number).padStart(digits, '0')}`

const digits = 12
const run = '[A-Za-z0-9][A-Za-z0-9_.-]{0,127}'
const shapes = {
  job: new RegExp(`^q/job/(?<run>${run})$`),
  ask: /^q\/ask\/(?<id>[0-9A-HJKMNP-TV-Z]{26})$/,
  claim: new RegExp(`^q/claim/(?<run>${run})~(?<fence>[1-9][0-9]{0,14})$`),
  beat: /^up\/(?<worker>[0-9a-f]{32})\/beat$/,
  segment: new RegExp(`^up/(?<worker>[0-9a-f]{32})/(?<number>[0-9]{${digits}})$`),
} as const

export type NamedKey =
  | { readonly kind: 'job'; readonly run: string }
  | { readonly kind: 'ask'; readonly id: string }
  | { readonly kind: 'claim'; readonly run: string; readonly fence: number }
  | { readonly kind: 'beat'; readonly worker: string }
  | { readonly kind: 'segment'; readonly worker: string; readonly number: number }

/** What a key names. Undefined for every other key, whatever it tries. */
export function parseKey(key: string): NamedKey | undefined {
  const matched = (kind: keyof typeof shapes) => shapes[kind].exec(key)?.groups
  const job = matched('job')
  if (job) return isRunName(job.run) ? { kind: 'job', run: job.run } : undefined
  const ask = matched('ask')
  if (ask) return { kind: 'ask', id: ask.id as string }
  const claim = matched('claim')
  if (claim) return isRunName(claim.run) ? { kind: 'claim', run: claim.run, fence: Number(claim.fence) } : undefined
  const beat = matched('beat')
  if (beat) return { kind: 'beat', worker: beat.worker as string }
  const segment = matched('segment')
  if (segment) return { kind: 'segment', worker: segment.worker as string, number: Number(segment.number) }
  return undefined
}

/** The shape is checked by the pattern; run ids also have no "..". */
function isRunName(name: string | undefined): name is string {
  return name !== undefined && !name.includes('..')
}
