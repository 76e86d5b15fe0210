// Why a case is not put to a connector: only ever for what the connector has declared.

import type { Case, Need } from './case.ts'
import type { Conforming } from './fixture.ts'

/** The declared difference for which a case makes no sense on this connector; undefined where it does. */
export function differenceOf({ needs = [] }: Case, { traits, apart }: Conforming): string | undefined {
  const lacks: Record<Need, string | undefined> = {
    interactive: traits.interactive ? undefined : 'not interactive',
    mirrored: traits.mirrored ? undefined : 'not mirrored',
    apart: apart ? undefined : "the hub's own process",
  }
  return needs.map((need) => lacks[need]).find((reason) => reason !== undefined)
}
