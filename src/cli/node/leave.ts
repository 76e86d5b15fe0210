// `muster node leave`: this machine is a host of that hub no more. The hub is told over a link that proves the machine's key.

import { join } from 'node:path'
import { forgetJoinedHub, type JoinedHub, leaveTunnel, listJoinedHubs } from '../../connectors/links.ts'
import { asMusterError, failure, hasCode } from '../../contract/errors.ts'
import { softwareVersion } from '../../wire/protocol.ts'
import { openHome } from '../home.ts'
import { tunnelUrl } from '../options.ts'
import type { Action } from '../perform.ts'
import { printable } from '../printable.ts'

export const leave: Action<{ readonly insecure?: true }, [string | undefined]> = async (terminal, { insecure }, url) => {
  const home = await openHome(terminal.env)
  const dir = join(home.dir, 'node')
  const hub = oneOf(await listJoinedHubs(dir), url)
  const problem = await tell(hub, { home: home.dir, insecure })
  await forgetJoinedHub(dir, hub)
  if (problem !== null)
    terminal.say(
      `The hub could not be told (${printable(problem)}): remove this host there with \`muster host remove ${printable(hub.name)}\`.`,
    )
  return {
    json: { left: hub.hubUrl, host: hub.host, name: hub.name, told: problem === null, problem },
    text: `left: ${hub.hubUrl} (${printable(hub.name)}, ${hub.host})`,
  }
}

/** Null, or why the hub does not know of it. One that knows this machine no more need not be told. */
async function tell(hub: JoinedHub, of: { home: string; insecure: true | undefined }): Promise<string | null> {
  try {
    await leaveTunnel(hub, { ...of, version: softwareVersion })
    return null
  } catch (error) {
    // It can be told, if whoever leaves wants it so.
    if (hasCode(error, 'link.insecure')) throw error
    return hasCode(error, 'node.unknown') ? null : asMusterError(error).message.replace(/\.$/, '')
  }
}

/** By its address as it is known here; without one, the only one. */
function oneOf(hubs: readonly JoinedHub[], url: string | undefined): JoinedHub {
  if (url !== undefined) {
    const named = hubs.find(({ hubUrl, hubKey }) => url === hubKey || address(url) === hubUrl)
    if (!named) throw failure('node.not_joined', { hubUrl: printable(url) })
    return named
  }
  const [only, second] = hubs
  if (!only) throw failure('node.not_joined', {})
  if (!second) return only
  throw failure('cli.usage', {
    problem: `This machine has joined ${hubs.length} hubs: ${hubs.map(({ hubUrl }) => hubUrl).join(', ')}.`,
    hint: `Name the one that it shall leave: \`muster node leave ${only.hubUrl}\`.`,
  })
}

/** What is no address is none that is known here. */
function address(url: string): string | undefined {
  try {
    return tunnelUrl(url)
  } catch {
    return undefined
  }
}
