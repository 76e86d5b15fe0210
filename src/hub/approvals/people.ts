// Approvals with the names of the people in them, for whoever looks at one. A name is what somebody has called a token: ids are what is
// compared, and no name decides anything.

import type { Approval, FleetApproval } from '../../contract/approval.ts'
import type { Store } from '../../store/store.ts'
import { tokenNames } from '../../store/tokens.ts'

/** With the host over whose link it came. */
export type PlacedApproval = Approval & Pick<FleetApproval, 'host' | 'hostId'>

/** What is said of who answers by a link, after who has made it. */
export const byALink = ' by a link'

export async function withNames(store: Store, approvals: readonly PlacedApproval[]): Promise<FleetApproval[]> {
  const people = approvals.flatMap(({ asked, resolution }) => [asked.asker, resolution?.by ?? null])
  const names = await tokenNames(store, [...new Set(people.flatMap((one) => (one === null ? [] : [personIn(one)])))])
  const nameOf = (one: string | null) => (one === null ? null : (names.get(personIn(one)) ?? null))
  return approvals.map((one) => ({
    ...one,
    askerName: nameOf(one.asked.asker),
    resolution: one.resolution && { ...one.resolution, byName: nameOf(one.resolution.by) },
  }))
}

function personIn(text: string): string {
  return text.endsWith(byALink) ? text.slice(0, -byALink.length) : text
}
