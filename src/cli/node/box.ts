// This machine's host as its people see it, without asking the process that serves it: what it was started with, its policy file, and
// the hubs that it knows.

import { join } from 'node:path'
import { z } from 'zod'
import { knownHubs } from '../../connectors/links.ts'
import { failure } from '../../contract/errors.ts'
import { HubKey } from '../../contract/policy.ts'
import type { HostPolicy } from '../../host/policy.ts'
import { policyFileOf } from '../../host/policy-file.ts'
import { startedWith } from '../../host/started-with.ts'
import { check } from '../arguments.ts'

const Beginning = z.string().regex(/^[0-9a-f]{4,32}$/, 'it is 4 to 32 hexadecimal digits')

/** The policy of the host of this home, as it was last started; nothing is allowed from the start where none ever was. */
export async function policyHere(home: string): Promise<HostPolicy & { readonly file: string; readonly hasRun: boolean }> {
  const started = await startedWith(join(home, 'host'))
  const file = policyFileOf(home)
  const { allow = [], withoutFile } = started ?? {}
  return { allow, ...(withoutFile && { withoutFile }), file, hasRun: started !== undefined }
}

/** A hub's key by its fingerprint, or by the beginning of that of one that is known here. Throws `policy.hub_unknown`. */
export async function hubKey(home: string, given: string): Promise<string> {
  if (HubKey.safeParse(given).success) return given
  check(Beginning, given, 'The hub', 'Give its fingerprint, or the beginning of it.')
  const known = await knownHubs(home)
  const keys = new Set(known.map(({ key }) => key).filter((key) => key.startsWith(given)))
  const [key] = keys
  if (key !== undefined && keys.size === 1) return key
  const shown = known.map((hub) => `${hub.key} (${hub.at})`).join(', ') || 'none'
  throw failure('policy.hub_unknown', { hub: given, known: shown })
}
