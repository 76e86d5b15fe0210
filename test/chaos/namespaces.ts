// A network of the test's own: the hub in one network namespace, each host in another, and a cable from each to the hub that can be
// broken as networks break: what is sent vanishes, some of it or the large of it, one way or both, and addresses change. Nobody is told.
//
// Delay is not among it: not every kernel has netem. A relay (test/programs/relay.ts) on one end of the cable brings it.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { hasProgram } from '../../scripts/system-parts.ts'
import type { Way } from '../resources/proxy.ts'

export interface Cable {
  /** What a program of the host's machine is started with. */
  readonly underHost: readonly string[]
  readonly hubAddress: string
  readonly hostAddress: string
  /** What is sent these ways vanishes: `out` to the hub, `back` to the host. */
  swallow(ways: readonly Way[]): void
  /** Of each hundred packets those of these numbers, from 0, vanish, either way. */
  lose(numbers: readonly number[]): void
  /** Packets of more bytes vanish, either way: a path that carries less than its ends believe, and does not say so. */
  swallowLarger(bytes: number): void
  /** How many packets have vanished since it was broken, either way. */
  vanished(): number
  mend(): void
  /** This end has another address from one moment to the next, and the former one leads nowhere. */
  move(end: 'hub' | 'host'): void
}

export interface Network extends AsyncDisposable {
  /** What a program of the hub's machine is started with. */
  readonly underHub: readonly string[]
  /** To a new machine. */
  plug(): Cable
}

const mark = 'muster-test'
const mostCables = 200

/** Root in a kernel that lets it: the reason, where not. */
export const noNamespaces = reasonAgainst()

export function openNetwork(): Network {
  removeLeftOver()
  const made: string[] = []
  const add = (name: string) => {
    ip('netns', 'add', name)
    made.push(name)
    ip('-n', name, 'link', 'set', 'dev', 'lo', 'up')
  }
  const hub = `${mark}-${process.pid}-hub`
  add(hub)

  function plug(): Cable {
    const number = made.length
    if (number > mostCables) throw new Error('so many cables were not thought of')
    const host = `${mark}-${process.pid}-${number}`
    add(host)
    const ends = {
      hub: { namespace: hub, device: `cable${number}`, address: `10.77.${number}.1`, next: `10.77.${number}.3` },
      host: { namespace: host, device: 'cable', address: `10.77.${number}.2`, next: `10.77.${number}.4` },
    }
    ip(...['link', 'add', ends.hub.device, 'netns', hub, 'type', 'veth'], ...['peer', 'name', ends.host.device, 'netns', host])
    for (const { namespace, device, address } of Object.values(ends)) {
      ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', device)
      ip('-n', namespace, 'link', 'set', 'dev', device, 'up')
    }
    const arriving = (way: Way) => (way === 'out' ? ends.hub : ends.host)
    /** Where it arrives: a sender that drops its own packets is told of it. */
    const drop = (ways: readonly Way[], which: string) => {
      mend()
      for (const { namespace, device } of ways.map(arriving)) {
        const rule = `iifname "${device}" ${which} counter drop`
        const chain = `chain arriving {\ntype filter hook prerouting priority -300\n${rule}\n}`
        execFileSync('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], { input: `table inet ${device} {\n${chain}\n}\n` })
      }
    }
    const mend = () => {
      // There may be none: then this changes nothing.
      for (const { namespace, device } of Object.values(ends))
        spawnSync('ip', ['netns', 'exec', namespace, 'nft', 'delete', 'table', 'inet', device])
    }
    return {
      underHost: under(host),
      hubAddress: ends.hub.address,
      hostAddress: ends.host.address,
      swallow: (ways) => drop(ways, ''),
      lose: (numbers) => drop(['out', 'back'], `numgen inc mod 100 { ${numbers.join(', ')} }`),
      swallowLarger: (bytes) => drop(['out', 'back'], `meta length > ${bytes}`),
      vanished() {
        const rules = Object.values(ends).map(({ namespace, device }) =>
          // No table stands at an end that lets everything pass.
          spawnSync('ip', ['netns', 'exec', namespace, 'nft', 'list', 'table', 'inet', device], { encoding: 'utf8' }),
        )
        return rules.reduce((sum, { stdout }) => sum + Number(/counter packets (\d+)/.exec(stdout)?.[1] ?? 0), 0)
      },
      mend,
      move(end) {
        const { namespace, device, address, next } = ends[end]
        ip('-n', namespace, 'addr', 'del', `${address}/24`, 'dev', device)
        ip('-n', namespace, 'addr', 'add', `${next}/24`, 'dev', device)
      },
    }
  }

  return {
    underHub: under(hub),
    plug,
    async [Symbol.asyncDispose]() {
      for (const name of made) ip('netns', 'del', name)
    },
  }
}

function under(namespace: string): readonly string[] {
  return ['ip', 'netns', 'exec', namespace]
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' })
}

/** What a test process that was killed has left behind. */
function removeLeftOver(): void {
  const names = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).matchAll(new RegExp(`^${mark}-(\\d+)-\\S+`, 'gm'))
  for (const [name, pid] of names) if (!existsSync(`/proc/${pid}`)) spawnSync('ip', ['netns', 'del', name])
}

function reasonAgainst(): string | undefined {
  const missing = ['ip', 'nft'].find((program) => !hasProgram(program))
  if (missing !== undefined) return `there is no ${missing} here`
  const name = `${mark}-${process.pid}-trial`
  const tried = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
  if (tried.status !== 0) return `no network namespace can be made here: ${tried.stderr.trim()}`
  const nft = spawnSync('ip', ['netns', 'exec', name, 'nft', 'list', 'tables'], { encoding: 'utf8' })
  spawnSync('ip', ['netns', 'del', name])
  return nft.status === 0 ? undefined : `no packet filter can be made here: ${nft.stderr.trim()}`
}
