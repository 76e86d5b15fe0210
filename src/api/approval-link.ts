// The two routes of a web link that answers an approval: GET shows what would run and changes nothing, POST answers. The link itself is
// what lets its holder in, for this one approval; no token is asked for and none is taken.

import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { z } from 'zod'
import { Answer } from '../contract/approval.ts'
import { failure } from '../contract/errors.ts'
import { approvalLinkPath } from '../contract/http.ts'
import { answeredPage, approvalPage, approvalPagePolicy, refusalPage } from './approval-page.ts'
import type { HubPort } from './port.ts'
import { explain } from './problem.ts'
import { noteRefusal } from './refusal.ts'

export interface ApprovalLinkOf {
  readonly hub: Pick<HubPort, 'approvalLinks' | 'refused'>
  readonly readOnly: boolean
  readonly isLocal: (socket: Socket) => boolean
  readonly log: Logger
}

const formType = 'application/x-www-form-urlencoded'
const largestForm = 16 * 1024

const Given = z
  .strictObject({ outcome: Answer, reason: z.string().max(1_000).default('') })
  .refine(
    ({ outcome, reason }) => outcome !== 'denied' || reason.trim() !== '',
    'to deny, say why: go back and fill in the reason',
  )

export function addApprovalLink(app: FastifyInstance, { hub, readOnly, isLocal, log }: ApprovalLinkOf): void {
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser(formType, { parseAs: 'string', bodyLimit: largestForm }, async (_: FastifyRequest, text: string) =>
      Object.fromEntries(new URLSearchParams(text)),
    )
    scope.addContentTypeParser('*', async ({ headers }: FastifyRequest): Promise<unknown> => {
      throw failure('http.media_type', { given: headers['content-type'] || 'of no declared type', wanted: formType })
    })
    scope.setErrorHandler(async (error: unknown, request, reply) => {
      await noteRefusal(hub, error, request)
      const known = explain(error, { log, request: request.id })
      return send(reply.code(known.status), refusalPage(known))
    })
    const config = { operation: 'approval.by_link' }
    scope.get(approvalLinkPath, { config }, async (request, reply) =>
      send(reply, approvalPage(await hub.approvalLinks.look(tokenOf(request)))),
    )
    scope.post(approvalLinkPath, { config }, async (request, reply) => {
      if (readOnly && !isLocal(request.raw.socket)) throw failure('hub.read_only', { operation: 'approval by link' })
      const given = Given.safeParse(request.body ?? {})
      if (!given.success) {
        throw failure('input.invalid', {
          what: 'the answer',
          problem: given.error.issues.map(({ message }) => message).join('; '),
        })
      }
      const { outcome, reason } = given.data
      const answered = await hub.approvalLinks.answer(tokenOf(request), {
        outcome,
        ...(reason.trim() !== '' && { reason: reason.trim() }),
      })
      return send(reply, answeredPage(answered))
    })
    done()
  })
}

function tokenOf({ params }: FastifyRequest): string {
  return (params as { token: string }).token
}

/** `same-origin`, for a browser that says nothing of where a form comes from would be taken for a stranger's page. */
function send(reply: FastifyReply, page: string): FastifyReply {
  return reply
    .header('content-security-policy', approvalPagePolicy)
    .header('referrer-policy', 'same-origin')
    .header('x-robots-tag', 'noindex')
    .type('text/html; charset=utf-8')
    .send(page)
}
