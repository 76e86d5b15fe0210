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
      state = bounded(next)
      for (const listener of [...listeners]) listener(state)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** Of what the other side gives as its reason, so much is kept, shown and told. */
const longestReason = 500

function bounded(state: LinkState): LinkState {
  if (state.status === 'online' || state.reason === undefined || state.reason.length <= longestReason) return state
  return { ...state, reason: `${state.reason.slice(0, longestReason)}…` }
}

export function offline(reason: string): LinkState {
  // Sentences are made of it, which bring their own full stop.
  return { status: 'offline', since: new Date().toISOString(), reason: reason.replace(/\.$/, '') }
}
