// An approval that is answered by the host's own operation, past the hub's: the same answer, with the same name under it.

import { expect, test } from 'vitest'
import { approveApproval, listApprovals, resolveApproval, showApproval } from '../../src/contract/approval.ts'
import { invokeCommand } from '../../src/contract/command.ts'
import { asMusterError } from '../../src/contract/errors.ts'
import { callProc } from '../../src/contract/proc.ts'
import { until } from '../resources/muster.ts'
import { serveTestHub } from './served-hub.ts'

test('who answers at the host itself is noted by the hub as who answers at the hub is', async () => {
  await using hub = await serveTestHub()
  await using _node = await hub.join('box', undefined, ['shell'])
  const operator = await hub.person('operator')
  const approver = await hub.person('approver')
  const running = operator.host('box').call(invokeCommand, { command: 'shell', params: { script: 'exit 0' } })
  const asked = await until('it is asked', async () => (await approver.hub.call(listApprovals, {})).approvals[0])
  const { id: approval, digest } = asked
  const answered = await approver.host('box').call(resolveApproval, { approval, digest, outcome: 'approved', by: 'somebody' })
  expect(answered.resolution?.by).toBe(approver.id)
  expect(await running).toMatchObject({ result: { code: 0 } })
  const shown = await approver.hub.call(showApproval, { approval })
  expect(shown).toMatchObject({ state: 'approved', resolution: { by: approver.id } })
  await expect(approver.hub.call(approveApproval, { approval, digest })).rejects.toMatchObject({ code: 'approval.resolved' })
})

test('also through the proc that answers for the host; and no other host is the one that has asked', async () => {
  await using hub = await serveTestHub()
  await using _node = await hub.join('box', undefined, ['shell'])
  const operator = await hub.person('operator')
  const params = { command: 'shell', params: { script: 'exit 0' }, asker: 'somebody' }
  const running = operator.host('box').call(callProc, { proc: 'service', method: invokeCommand.name, params })
  const refused = running.catch((error: unknown) => asMusterError(error).code)
  const asked = await until('it is asked', async () => (await operator.hub.call(listApprovals, {})).approvals[0])
  expect(asked.asked.asker).toBe(operator.id)
  const answer = { approval: asked.id, digest: asked.digest, outcome: 'denied' as const, reason: 'no', by: 'somebody' }
  await expect(operator.host('local').call(resolveApproval, answer)).rejects.toMatchObject({ code: 'approval.unknown' })
  const nested = { proc: 'service', method: resolveApproval.name, params: answer }
  await operator.host('box').call(callProc, { proc: 'service', method: 'proc.call', params: nested })
  expect(await refused).toBe('approval.denied')
  const shown = await operator.hub.call(showApproval, { approval: asked.id })
  expect(shown).toMatchObject({ state: 'denied', resolution: { by: operator.id, reason: 'no' } })
})
