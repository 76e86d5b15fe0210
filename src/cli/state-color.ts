// A run's state in its colour. Beside the colours, for a command without runs does not load them.

import { isTerminal, type RunState } from '../contract/run.ts'
import { paint } from './color.ts'

export function paintState(state: RunState, text: string): string {
  if (state === 'succeeded') return paint('green', text)
  return isTerminal(state) ? paint('red', text) : paint('yellow', text)
}
