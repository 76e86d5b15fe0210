// A link's state and those who watch it: the small machine that every connector keeps.
//
// never_seen ─▶ online ─▶ offline ─▶ online …   Only the connector that owns it calls `set`.

import type { LinkState } from './port.ts'

export interface LinkStateCell {
  readonly state: LinkState
  set(state: LinkState): void
  onChange(listener: (state: LinkState) => void): () => void
}

export function linkStateCell(initial: LinkState): LinkStateCell {
  let state = initial
  const listeners = new Set<(state: LinkState) => void>()
  return {
    get state() {
      return state
    },
    set(next) {
      state = next
      for (const listener of [...listeners]) listener(next)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

export function offline(reason: string): LinkState {
  // Sentences are made of it, which bring their own full stop.
  return { status: 'offline', since: new Date().toISOString(), reason: reason.replace(/\.$/, '') }
}
