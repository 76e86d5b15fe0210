// What the registry record of an http host holds: where the other hub is, and whom to trust there. Its token is the host's secret.

import { z } from 'zod'
import { failure } from '../../contract/errors.ts'
import { isLoopback } from '../../wire/loopback.ts'
import { TrustConfig } from '../trust.ts'

/** A host name or an address, and a path where the hub is behind a proxy; nothing that could hold a secret. */
const HubUrl = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .refine((text) => !/[@?#]/.test(text), 'it is only https://NAME[:PORT][/PATH]')

export const HttpConfig = z.strictObject({
  kind: z.literal('http'),
  url: HubUrl,
  ...TrustConfig.shape,
  /** Permits http:// beyond this machine: whoever carries the bytes can then read the token and do all that it allows. */
  insecure: z.boolean().optional(),
})
export type HttpConfig = z.output<typeof HttpConfig>

/** Throws `link.insecure` for plain http:// beyond this machine. */
export function refusePlaintext({ url, insecure }: HttpConfig): void {
  const { protocol, hostname, origin } = new URL(url)
  if (protocol === 'http:' && !isLoopback(hostname) && !insecure) throw failure('link.insecure', { url: origin })
}
