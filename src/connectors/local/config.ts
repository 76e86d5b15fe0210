// What the registry record of a local host holds: nothing, since the hub's own host needs no address.

import { z } from 'zod'

export const LocalConfig = z.strictObject({ kind: z.literal('local') })
