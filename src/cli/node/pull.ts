// `muster node pull`: this machine as a host of a hub that it meets in a bucket. Ends when told to, or with --once when nothing is left.

import { hostname } from 'node:os'
import { join } from 'node:path'
import { BucketPlace, parseJoinToken, pullFromBucket } from '../../connectors/links.ts'
import { failure } from '../../contract/errors.ts'
import { describeIssue } from '../../contract/implementation.ts'
import { openHost } from '../../host/host.ts'
import { closeWithin } from '../close-within.ts'
import { openHome } from '../home.ts'
import { openLog } from '../log.ts'
import { warnOfFewDescriptors } from '../low-descriptors.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'
import { readToken } from '../stdin-secret.ts'
import { stopRequested } from '../stop-signal.ts'
import { letHeapGrow } from '../streaming-heap.ts'
import type { Terminal } from '../terminal.ts'
import { nodePolicy } from './policy.ts'

interface PullOptions {
  readonly bucket?: string
  readonly prefix?: string
  readonly endpoint?: string
  readonly insecure?: true
  readonly tokenStdin?: true
  readonly token?: string
  readonly allow?: string[]
  readonly once?: true
  readonly interval?: number
  readonly concurrency?: number
}

const defaultIntervalMs = 15_000
const defaultConcurrency = 4

export const pull: Action<PullOptions, []> = async (terminal, options) => {
  const { allow = [], once = false, interval = defaultIntervalMs, concurrency = defaultConcurrency } = options
  const place = placeOf(options)
  const token = await tokenOf(terminal, options)
  // Before anything is opened here: a token that no hub printed changes nothing.
  if (token !== undefined) parseJoinToken(token)
  letHeapGrow()
  const home = await openHome(terminal.env)
  const log = openLog(terminal.env)
  warnOfFewDescriptors(log)
  const leaving = new AbortController()
  const stopping = stopRequested().then(() => leaving.abort())
  if (place.insecure)
    terminal.say('With --insecure, whoever is on the way can read commands and output, and can delete what lies in the bucket.')
  const host = await openHost({
    home: join(home.dir, 'host'),
    musterHome: home.dir,
    commands: join(home.dir, 'commands'),
    name: hostname(),
    policy: nodePolicy(home.dir, { allow }),
    log,
  })
  const pulling = pullFromBucket({
    place,
    home: home.dir,
    host,
    intervalMs: interval,
    concurrency,
    once,
    log,
    signal: leaving.signal,
    ...(token !== undefined && { token }),
    onState: sayChanges(terminal, place, allow),
  })
  try {
    await Promise.race([pulling, stopping, host.shutDown])
  } finally {
    leaving.abort()
    // What is told already must reach the bucket; what this rejects with has been thrown above.
    await pulling.catch(() => undefined)
    await closeWithin(host)
  }
  return { json: { stopped: true } }
}

type OnState = Parameters<typeof pullFromBucket>[0]['onState']

/** Each look reports; people want to know of changes. */
function sayChanges(terminal: Terminal, { bucket }: BucketPlace, allow: readonly string[]): OnState {
  let said: string | undefined
  return (state) => {
    const words = state.looking ? `Looking into ${bucket}.` : `Not looking: ${printable(state.reason)} Trying again.`
    if (words === said) return
    if (said === undefined && allow.length === 0)
      terminal.say('Without --allow, the hub can look at this host and start nothing.')
    said = words
    terminal.say(words)
  }
}

function placeOf({ bucket, prefix, endpoint, insecure }: PullOptions): BucketPlace {
  if (bucket === undefined)
    throw wrong(
      '`muster node pull` needs a bucket.',
      'Give the one of the hub: `muster node pull --bucket s3://NAME --token-stdin`.',
    )
  const given = {
    bucket,
    ...(prefix !== undefined && { prefix }),
    ...(endpoint !== undefined && { endpoint }),
    ...(insecure && { insecure }),
  }
  const parsed = BucketPlace.safeParse(given)
  if (parsed.success) return parsed.data
  throw wrong(
    `The bucket is not valid: ${parsed.error.issues.map(describeIssue).join('; ')}.`,
    'Take it from the command that `muster host add` printed on the hub.',
  )
}

async function tokenOf(terminal: Terminal, { token, tokenStdin }: PullOptions): Promise<string | undefined> {
  if (token !== undefined && tokenStdin)
    throw wrong('The token is given twice, by --token and by --token-stdin.', 'Use --token-stdin alone.')
  if (tokenStdin) return await readToken(terminal)
  if (token !== undefined) terminal.say('--token can be seen in the list of processes; --token-stdin cannot.')
  return token ?? (terminal.env.MUSTER_TOKEN || undefined)
}

function wrong(problem: string, hint: string) {
  return failure('cli.usage', { problem, hint })
}
