// What the registry record of an http host holds: where the other hub is, and whom to trust there. Its token is the host's secret.

import { z } from 'zod'

/** A host name or an address, and a path where the hub is behind a proxy; nothing that could hold a secret. */
const HubUrl = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .refine((text) => !/[@?#]/.test(text), 'it is only https://NAME[:PORT][/PATH]')

export const HttpConfig = z.strictObject({
  kind: z.literal('http'),
  url: HubUrl,
  /** PEM file of the authorities that count for this host, instead of the system's. */
  caFile: z
    .string()
    .max(4096)
    .regex(/^(?:\/|~\/)/, 'it is an absolute path, or begins with ~/')
    .optional(),
  /** The hub's public key. Without `caFile` it alone counts, whoever signed the certificate. */
  pin: z
    .string()
    .regex(/^sha256\/\/[A-Za-z0-9+/]{43}=$/, 'it is sha256// and 44 characters of Base64 (docs/connectors/http.md)')
    .optional(),
  /** Permits http:// beyond this machine: whoever carries the bytes can then read the token and do all that it allows. */
  insecure: z.boolean().optional(),
})
export type HttpConfig = z.output<typeof HttpConfig>
