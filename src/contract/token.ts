// Tokens of people and programs for the HTTP API. Nodes have none: they prove a key.

import { z } from 'zod'
import type { Principal } from './implementation.ts'
import { Time } from './names.ts'
import { operation, type Scope, scopes } from './operation.ts'

/** What each role may do. A node's credential has the role `node`, which may do nothing here. */
export const roleScopes = {
  operator: scopes,
  approver: ['read', 'approve'],
  viewer: ['read'],
  node: [],
} as const satisfies Record<string, readonly Scope[]>
export type Role = keyof typeof roleScopes

/** Who asks over the hub's own socket, which needs no token: its account. */
export const localSocketId = 'local-socket'

/** Who asks with the token that came with the hub's start, on its standard input. */
export const startTokenId = 'token-stdin'

/** Only the hub's own account can open the socket: its directory is 0700. */
export const localOperator: Principal = {
  kind: 'user',
  id: localSocketId,
  role: 'operator',
  scopes: new Set(roleScopes.operator),
}

/** The roles that a token may have. */
export const tokenRoles = ['operator', 'approver', 'viewer'] as const satisfies readonly Role[]

const longestLifeMs = 10 * 365 * 24 * 3600 * 1000

const Name = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, 'a name has no control characters')

export const TokenRow = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(tokenRoles),
  createdAt: Time,
  createdBy: z
    .string()
    .nullable()
    .meta({ description: 'Id of the token that it was minted with, `local-socket`, or `token-stdin`.' }),
  expiresAt: Time.nullable(),
  lastUsedAt: Time.nullable(),
  revokedAt: Time.nullable(),
})
export type TokenRow = z.output<typeof TokenRow>

export const createToken = operation({
  kind: 'call',
  name: 'token.create',
  summary:
    'Mints a token. It is shown this once; the hub keeps its SHA-256. It can do no more, and lives no longer, than the caller.',
  input: z.strictObject({
    name: Name,
    role: z.enum(tokenRoles),
    expiresInMs: z
      .int()
      .min(1000)
      .max(longestLifeMs)
      .optional()
      .meta({ description: "How long it is good for; without it, as long as the caller's own, or until it is revoked." }),
  }),
  output: TokenRow.extend({ token: z.string() }),
  errors: ['token.exceeds'],
  scope: 'admin',
  deferrable: false,
  http: 'POST /tokens',
})

export const showCaller = operation({
  kind: 'call',
  name: 'hub.caller',
  summary: 'Who the hub takes the caller for, by his connection: what he may do here.',
  input: z.strictObject({}),
  output: z.object({
    id: z.string().meta({ description: 'Of the token, or `local-socket`.' }),
    name: z.string().nullable().meta({ description: "The token's." }),
    role: z.string(),
    scopes: z.array(z.enum(scopes)),
    expiresAt: Time.nullable(),
  }),
  errors: [],
  scope: 'read',
  deferrable: false,
  http: 'GET /caller',
})

export const listTokens = operation({
  kind: 'call',
  name: 'token.list',
  summary: 'The tokens, without their values.',
  input: z.strictObject({}),
  output: z.object({ tokens: z.array(TokenRow) }),
  errors: [],
  scope: 'admin',
  deferrable: false,
  http: 'GET /tokens',
})

export const revokeToken = operation({
  kind: 'call',
  name: 'token.revoke',
  summary:
    'Revokes a token by its id or name, at once and for good, with all that it has minted, and all that those have: what they have open ends.',
  input: z.strictObject({ token: z.string().min(1).max(128) }),
  output: TokenRow.extend({
    minted: z.array(TokenRow).meta({ description: 'Those that were revoked with it.' }),
  }),
  errors: ['token.unknown', 'token.ambiguous'],
  scope: 'admin',
  deferrable: false,
  http: 'DELETE /tokens/:token',
})
