// Which answer each kind of operation gets over HTTP.

import type { OperationKind } from '../contract/operation.ts'
import { answerBytes } from './bytes.ts'
import { answerCall } from './call.ts'
import type { Exchange } from './exchange.ts'
import { answerItems } from './items.ts'
import { answerUpload } from './upload.ts'

/** Answers, or throws before anything was sent. A stream that breaks later ends its connection by itself. */
export const answers: Record<OperationKind, (exchange: Exchange) => Promise<unknown>> = {
  call: answerCall,
  items: answerItems,
  bytes: answerBytes,
  upload: answerUpload,
}
