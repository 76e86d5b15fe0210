// One answer as JSON.

import type { CallOperation } from '../contract/operation.ts'
import type { Exchange } from './exchange.ts'

export async function answerCall({ operation, input, caller, reply, signal }: Exchange): Promise<unknown> {
  const output = await caller.call(operation as CallOperation, input, { signal })
  return reply.type('application/json').send(JSON.stringify(output ?? null))
}
