// What was approved for a session: the same command in the same shape, for who has asked, for a while. It is in memory alone, so a host
// that was restarted asks again.

export interface Grants {
  add(grant: Grant): void
  /** The one that covers a shape now. */
  covering(shape: string): Grant | undefined
  /** Takes back what an approval has granted. False: there was nothing left of it. */
  forget(approval: string, hub: string): boolean
}

export interface Grant {
  readonly approval: string
  readonly hub: string
  readonly shape: string
  readonly by: string
}

const most = 1_000

export function openGrants(lifeMs: number): Grants {
  const byShape = new Map<string, Grant & { readonly endsAtMs: number; readonly endsAt: number }>()

  /** By a clock that nobody sets and by the one that goes on while the machine sleeps: the first that has run out ends it. */
  const isOver = ({ endsAtMs, endsAt }: { endsAtMs: number; endsAt: number }) =>
    performance.now() >= endsAtMs || Date.now() >= endsAt

  return {
    add(grant) {
      byShape.delete(grant.shape)
      byShape.set(grant.shape, { ...grant, endsAtMs: performance.now() + lifeMs, endsAt: Date.now() + lifeMs })
      for (const shape of byShape.keys()) {
        if (byShape.size <= most) break
        byShape.delete(shape)
      }
    },
    covering(shape) {
      const found = byShape.get(shape)
      if (found && isOver(found)) byShape.delete(shape)
      return found && !isOver(found) ? found : undefined
    },
    forget(approval, hub) {
      const found = [...byShape.values()].find((one) => one.approval === approval && one.hub === hub)
      return found !== undefined && byShape.delete(found.shape) && !isOver(found)
    },
  }
}
