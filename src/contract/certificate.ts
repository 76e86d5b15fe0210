// TLS at the hub: what it tells of its own authority, and what it asks of the link of a node that it gives a certificate to.

import { z } from 'zod'
import { Time } from './names.ts'
import { operation } from './operation.ts'

const Pem = z.string().max(16 * 1024)

const Root = z.object({
  certificate: Pem,
  pin: z.string().meta({ description: 'Its key as `--pin` takes it.' }),
  fingerprint: z.string().meta({ description: 'SHA-256 of the certificate, as openssl writes it.' }),
  notAfter: Time,
})

const AuthorityInfo = Root.extend({
  former: z
    .array(Root.extend({ certificates: z.int().meta({ description: 'How many hosts have a valid certificate of it.' }) }))
    .meta({ description: 'Those whose certificates still count, newest first.' }),
})
export type AuthorityInfo = z.output<typeof AuthorityInfo>

export const showAuthority = operation({
  kind: 'call',
  name: 'authority.show',
  summary: "The hub's own certificate authority: what clients and nodes can trust it by.",
  input: z.strictObject({}),
  output: AuthorityInfo,
  errors: ['authority.none'],
  scope: 'read',
  deferrable: false,
  http: 'GET /hub/authority',
})

export const rotateAuthority = operation({
  kind: 'call',
  name: 'authority.rotate',
  summary:
    'Makes a new root, which signs from now on. The former one vouches for it, and counts until the last certificate that it signed was renewed.',
  input: z.strictObject({}),
  output: AuthorityInfo,
  errors: ['authority.none'],
  scope: 'admin',
  deferrable: false,
  http: 'POST /hub/authority/rotation',
})

export const requestCertificate = operation({
  kind: 'call',
  name: 'certificate.request',
  summary: 'Makes a fresh key, which stays there, and answers a signing request for it.',
  input: z.strictObject({}),
  output: z.object({
    request: Pem.meta({ description: 'PKCS#10 as PEM. No name in it counts.' }),
    binding: z.string().max(128).nullable().meta({
      description: 'What its end of the TLS connection exports: the same at both ends only where one connection joins them.',
    }),
  }),
  errors: [],
  scope: 'admin',
  deferrable: false,
  http: null,
})

export const installCertificate = operation({
  kind: 'call',
  name: 'certificate.install',
  summary: 'Keeps the certificate for the key that was made last, to be shown at the next dialling. Durable when it answers.',
  input: z.strictObject({
    certificate: Pem,
    authorities: z.array(Pem).max(16).meta({ description: 'The roots of the hub that count now.' }),
  }),
  output: z.object({}),
  errors: [],
  scope: 'admin',
  deferrable: false,
  http: null,
})
