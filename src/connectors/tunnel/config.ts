// What the registry record of a tunnel host holds: nothing but the kind. The node's key and token hash are in the store.

import { z } from 'zod'

export const TunnelConfig = z.strictObject({ kind: z.literal('tunnel') })
