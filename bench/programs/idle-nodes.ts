// Many nodes in one process, each with an identity and a link of its own, that do nothing but stay: real links, no machine behind them.
// Arguments: the hub's address and a directory. Its parent sends enrolment tokens; it is told of each link's coming and going.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import pino from 'pino'
import { linkTunnel, parseEnrolmentToken } from '../../src/connectors/links.ts'
import { followJournal } from '../../src/contract/event.ts'
import { getHostInfo } from '../../src/contract/host.ts'
import { implement, implementation } from '../../src/contract/implementation.ts'
import { describeHost } from '../../src/host/info.ts'
import { softwareVersion } from '../../src/wire/protocol.ts'

/** A link came up, or it ended or could not be made. */
export interface LinkChange {
  readonly node: number
  readonly online: boolean
}

const [hubUrl = '', dir = ''] = process.argv.slice(2)
const joinedAtOnce = 32
const log = pino({ level: 'silent' })

const host = {
  offers: implementation(
    implement(getHostInfo, async () => describeHost({ activeRuns: 0, kinds: ['command'], allows: [], catalogSize: null })),
    // Nothing ever happens here.
    implement(followJournal, async function* (_, { signal }) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    }),
  ),
}

process.on('message', (tokens: string[]) => void joinAll(tokens))
process.on('disconnect', () => process.exit())
process.send?.('ready')

/** Not all at once, the first time: how they come back is what is looked at. */
async function joinAll(tokens: string[]): Promise<void> {
  let joined = 0
  const joinNext = async () => {
    while (joined < tokens.length) {
      const node = joined++
      await joinOne(node, tokens[node] as string)
    }
  }
  await Promise.all(Array.from({ length: joinedAtOnce }, joinNext))
}

/** Resolves when the node is online; from then on it stays, or comes back, by itself. */
async function joinOne(node: number, token: string): Promise<void> {
  const home = join(dir, parseEnrolmentToken(token).host)
  await mkdir(home, { mode: 0o700 })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onState = ({ online }: { online: boolean }) => {
    process.send?.({ node, online } satisfies LinkChange)
    if (online) resolve()
  }
  // A signal of its own: thousands of listeners to one are looked through one by one.
  const { signal } = new AbortController()
  linkTunnel({ hubUrl, home, token, host, version: softwareVersion, log, signal, onState }).catch(reject)
  await promise
}
