// What this host lets its hub do: families, by name. The front door asks before anything is started.
// Reading and ending what was started is always allowed, or a narrowed policy would leave work that nobody can stop.

import { failure } from '../contract/errors.ts'
import { type Family, families } from '../contract/family.ts'

export { families }

export type HostPolicy = { readonly allow: 'everything' | readonly string[] }

/** The families that are allowed, spelled out. */
export function allowedFamilies({ allow }: HostPolicy): string[] {
  return allow === 'everything' ? [...families] : [...allow]
}

/** Throws `policy.denied` unless the family is allowed. The host is not named: its hub may know it by another name than it has itself. */
export function requireAllowed(policy: HostPolicy, family: Family): void {
  if (!allowedFamilies(policy).includes(family)) throw failure('policy.denied', { family })
}
