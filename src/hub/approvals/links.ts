// Web links that answer one approval once, for who has a phone and no terminal. A link is signed over the approval's id and digest, the
// link's own id, its end and who made it; it can do what its maker could for this one approval, and nothing else.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { type Answer, approveApproval, denyApproval, type FleetApproval, type linkApproval } from '../../contract/approval.ts'
import type { NewAuditEntry } from '../../contract/audit.ts'
import { asMusterError, failure } from '../../contract/errors.ts'
import { approvalLinkPath } from '../../contract/http.ts'
import type { Principal } from '../../contract/implementation.ts'
import type { OutputOf, ParsedOf } from '../../contract/operation.ts'
import {
  type ApprovalLink,
  addApprovalLink,
  findApprovalLink,
  releaseApprovalLink,
  useApprovalLink,
} from '../../store/approval-links.ts'
import type { Store } from '../../store/store.ts'
import { tokenNames } from '../../store/tokens.ts'
import { loadKeyFile } from '../../wire/key-file.ts'
import { isLoopback } from '../../wire/loopback.ts'
import { byALink } from './people.ts'

export interface ApprovalLinks {
  /** Rejects with `approval.unknown`, `approval.resolved`, `link.insecure`. */
  mint(input: ParsedOf<typeof linkApproval>, principal: Principal): Promise<OutputOf<typeof linkApproval>>
  /** What the link is about. Looking changes nothing. Rejects with `approval.link_invalid`, `approval.link_used`, `approval.resolved`. */
  look(token: string): Promise<FleetApproval>
  /** Answers by the link, which is used up by it. */
  answer(token: string, given: { outcome: Answer; reason?: string }): Promise<FleetApproval>
}

export interface LinksOf {
  readonly store: Store
  readonly dir: string
  readonly url: () => string
  readonly find: (approval: string) => Promise<FleetApproval>
  readonly answer: (given: {
    readonly approval: string
    readonly digest: string
    readonly outcome: Answer
    readonly reason: string | undefined
    readonly by: string
  }) => Promise<FleetApproval>
  /** Whether who made a link may still do what it does. */
  readonly mayStillApprove: (mintedBy: string) => Promise<boolean>
  /** Durable before the answer is given. */
  readonly record: (entry: NewAuditEntry) => Promise<void>
}

/** Throws `home.unusable`. */
export async function openLinks({ store, dir, url, find, answer, mayStillApprove, record }: LinksOf): Promise<ApprovalLinks> {
  const key = await loadKey(join(dir, 'approval-links.key'))

  const signatureOf = ({ id, approval, mintedBy, expiresAt }: Omit<ApprovalLink, 'usedAt'>, digest: string) =>
    createHmac('sha256', key)
      .update(JSON.stringify(['approval link', id, approval, digest, expiresAt, mintedBy]))
      .digest()

  /** The link of a token, and its approval. Nothing is told of a link whose signature is not right. */
  async function open(token: string): Promise<{ link: ApprovalLink; approval: FleetApproval }> {
    const [, id = '', signature = ''] = /^([\w-]{22})\.([\w-]{43})$/.exec(token) ?? []
    const link = id === '' ? undefined : await findApprovalLink(store, id)
    if (!link) throw failure('approval.link_invalid')
    const approval = await find(link.approval).catch(() => undefined)
    if (!approval || !isSame(signatureOf(link, approval.digest), Buffer.from(signature, 'base64url'))) {
      throw failure('approval.link_invalid')
    }
    if (link.usedAt !== null) throw failure('approval.link_used')
    if (approval.state !== 'pending') throw failure('approval.resolved', { approval: approval.id, state: approval.state })
    if (Date.parse(link.expiresAt) <= Date.now()) throw failure('approval.link_invalid')
    if (!(await mayStillApprove(link.mintedBy))) throw failure('approval.link_invalid')
    return { link, approval }
  }

  return {
    async mint({ approval: ref, url: given, insecure }, principal) {
      const approval = await find(ref)
      if (approval.state !== 'pending') throw failure('approval.resolved', { approval: ref, state: approval.state })
      const base = new URL(given ?? url())
      if (base.protocol === 'http:' && !isLoopback(base.hostname) && !insecure)
        throw failure('link.insecure', { url: base.origin })
      const link = {
        id: randomBytes(16).toString('base64url'),
        approval: approval.id,
        mintedBy: principal.id,
        expiresAt: approval.expiresAt,
      }
      await addApprovalLink(store, link)
      const token = `${link.id}.${signatureOf(link, approval.digest).toString('base64url')}`
      base.pathname = approvalLinkPath.replace(':token', token)
      base.search = ''
      base.hash = ''
      return { url: base.href, expiresAt: link.expiresAt }
    },

    look: async (token) => (await open(token)).approval,

    async answer(token, { outcome, reason }) {
      const { link, approval } = await open(token)
      const name = (await tokenNames(store, [link.mintedBy])).get(link.mintedBy) ?? null
      await record({
        actor: { kind: 'user', id: link.mintedBy, role: 'link', name },
        action: outcome === 'denied' ? denyApproval.name : approveApproval.name,
        host: approval.hostId,
        subject: approval.id,
        digest: approval.digest,
        decision: 'allowed',
      })
      if (!(await useApprovalLink(store, link.id))) throw failure('approval.link_used')
      try {
        return await answer({
          approval: approval.id,
          digest: approval.digest,
          outcome,
          reason,
          by: `${link.mintedBy}${byALink}`,
        })
      } catch (error) {
        // Nothing came of it, and the same may do later.
        if (asMusterError(error).retryable) await releaseApprovalLink(store, link.id)
        throw error
      }
    },
  }
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

const keyBytes = 32

async function loadKey(file: string): Promise<Buffer> {
  const key = await loadKeyFile(file, () => randomBytes(keyBytes))
  if (key.length !== keyBytes) throw failure('home.unusable', { path: file, problem: 'it holds no key' })
  return key
}
