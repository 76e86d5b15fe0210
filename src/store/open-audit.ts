// An audit log as a hub's or a host's door wants it: its writer, and the place where each refusal is taken in once.

import type { Logger } from 'pino'
import type { AuditDoor } from '../contract/audited.ts'
import type { MusterError } from '../contract/errors.ts'
import { openAuditLog } from './audit-log.ts'
import { openRefusals } from './refusals.ts'
import type { Store } from './store.ts'

export interface Audit extends Pick<AuditDoor, 'sink' | 'refused'>, AsyncDisposable {}

/** `whose`: for the process's own log. To be disposed before the store. */
export async function openAudit(store: Store, log: Logger, whose: string): Promise<Audit> {
  await using opened = new AsyncDisposableStack()
  const sink = opened.use(openAuditLog(store, log, whose))
  const refusals = opened.use(openRefusals(sink))
  /** By the error, which goes on to whoever asked, and may pass another door on its way. */
  const taken = new WeakMap<MusterError, Promise<void>>()
  const take: Audit['refused'] = async (error, entry, noted) =>
    refusals.take({ ...(await entry()), decision: 'denied', why: error.code }, noted)
  const closing = opened.move()
  return {
    sink,
    refused(error, entry, noted) {
      const known = taken.get(error) ?? take(error, entry, noted)
      taken.set(error, known)
      return known
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
