// A hub and a node that are killed and started again, at the same address and in the same homes. They are asked over HTTP with a
// token, as any program asks: a command line for each question would cost more than what is tested.

import { onTestFailed } from 'vitest'
import { asMusterError } from '../../src/contract/errors.ts'
import { getHubInfo } from '../../src/contract/fleet.ts'
import { enrollNode, listHosts } from '../../src/contract/host.ts'
import { createToken } from '../../src/contract/token.ts'
import { connectHub, type HubClient } from '../../src/sdk/client.ts'
import { socketPath } from '../../src/wire/channels/socket-path.ts'
import { freePort } from '../resources/free-port.ts'
import { type Home, makeHome, start, until } from '../resources/muster.ts'

export const nodeName = 'second'

/** A process that is killed with SIGKILL and started again. */
export interface Killable {
  readonly pid: number
  readonly home: string
  /** Fails if it has ended by itself before. */
  kill(): Promise<void>
  /** Starts it anew; waits for nothing. */
  start(): void
  /** What its present life wrote, for a failing test to show. */
  log(): string
}

export interface Fleet extends AsyncDisposable {
  readonly hub: Killable
  readonly node: Killable
  readonly client: HubClient
  hubAnswers(): Promise<void>
  nodeOnline(): Promise<void>
}

const deadlineMs = 120_000
const tailLines = 40

/** Starts both. Disposing ends every process of either home, what they run included, and deletes the homes. */
export async function startFleet({ allow = ['runs'] }: { allow?: readonly string[] } = {}): Promise<Fleet> {
  await using opened = new AsyncDisposableStack()
  const home = opened.use(await makeHome())
  const nodeHome = opened.use(await makeHome())
  const bind = `127.0.0.1:${await freePort()}`
  const hub = killable(home, ['hub', 'serve', '--bind', bind, '--no-open'])
  opened.defer(hub.end)
  const own = connectHub({ socketPath: socketPath(`${home.path}/hub`, 'hub.sock') })
  opened.defer(() => own.close())
  await answers(own, hub)
  const { token } = await own.hub.call(createToken, { name: 'test', role: 'operator' })
  const client = connectHub({ url: `http://${bind}`, token })
  opened.defer(() => client.close())

  const enrolment = await own.hub.call(enrollNode, { name: nodeName })
  const args = ['node', '--hub', `ws://${bind}`, ...allow.flatMap((family) => ['--allow', family])]
  const node = killable(nodeHome, args, { args: ['--token-stdin'], input: enrolment.token })
  opened.defer(node.end)
  await online(client, node)
  onTestFailed(() => console.log(`the hub's log:\n${tailOf(hub)}\nthe node's log:\n${tailOf(node)}`))
  const closing = opened.move()
  return {
    hub,
    node,
    client,
    hubAnswers: () => answers(client, hub),
    nodeOnline: () => online(client, node),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** `first`: what is added when it is started for the first time. */
function killable(
  { path }: Home,
  args: readonly string[],
  first: { args: readonly string[]; input: string } = { args: [], input: '' },
): Killable & { end: () => Promise<void> } {
  let served = start(path, [...args, ...first.args], {}, first.input)
  return {
    home: path,
    get pid() {
      return served.pid
    },
    async kill() {
      if (served.child.exitCode !== null) throw new Error(`it ended by itself: muster ${args.join(' ')}\n${served.log()}`)
      await served.kill()
    },
    start() {
      served = start(path, args)
    },
    log: () => served.log(),
    end: () => served.kill(),
  }
}

function answers({ hub }: HubClient, process: Killable): Promise<void> {
  return eventually('the hub answers', process, async () => (await hub.call(getHubInfo, {})).pid === process.pid)
}

function online({ hub }: HubClient, process: Killable): Promise<void> {
  return eventually('the node is online', process, async () => {
    const { hosts } = await hub.call(listHosts, {})
    return hosts.some(({ name, status }) => name === nodeName && status === 'online')
  })
}

/** A hub that is away is asked again. */
async function eventually(what: string, process: Killable, look: () => Promise<boolean>): Promise<void> {
  await until(
    what,
    async () => {
      try {
        return (await look()) || undefined
      } catch (error) {
        if (asMusterError(error).retryable) return undefined
        throw error
      }
    },
    { log: process.log },
    deadlineMs,
  )
}

function tailOf(process: Killable): string {
  return process.log().split('\n').slice(-tailLines).join('\n')
}
