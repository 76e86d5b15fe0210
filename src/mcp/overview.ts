// The instructions as text, for who puts them before a model by himself.

import { openCatalogs } from './catalogs.ts'
import type { ToolFleet } from './fleet.ts'
import { instructionsFor } from './instructions.ts'

export async function instructionsText(fleet: ToolFleet): Promise<string> {
  const { id: owner } = await fleet.asker()
  return await instructionsFor({ fleet, owner, catalogs: openCatalogs() })
}
