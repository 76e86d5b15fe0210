// What the evaluator is asked, and the rules that it is asked about.

import type { LayerVerdict, PolicyRule } from '../contract/policy.ts'

/** May this one have this begun here? Nothing in it is taken from what the asker says of himself: the carrier stamps who asks. */
export interface Question {
  readonly command: string
  /** As the command's schema has let them through. */
  readonly params?: Readonly<Record<string, unknown>>
  /** The fingerprint of the key that the asking hub has proven; `local` for the hub in whose process the host lives. */
  readonly hub: string
  readonly principal: { readonly kind: string; readonly id: string; readonly role: string }
  readonly session?: string
}

/** A rule and where it stands. */
export type PlacedRule = PolicyRule & { readonly from: string }

export interface Layer {
  readonly layer: LayerVerdict['layer']
  /** Whose rules these are, for people. */
  readonly of: string
  readonly rules: readonly PlacedRule[]
  /** The command is hidden until a rule exposes it by name: an allowing `*` does not. */
  readonly byNameOnly?: boolean
}
