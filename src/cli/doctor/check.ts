// What a check of `muster doctor` finds: how it stands, in one sentence, and the command that mends it.

export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly says: string
  /** Null when there is nothing to mend. */
  readonly mend: string | null
}

export function ok(check: string, says: string): Finding {
  return { check, state: 'ok', says, mend: null }
}

export function warn(check: string, says: string, mend: string): Finding {
  return { check, state: 'warn', says, mend }
}

export function fail(check: string, says: string, mend: string): Finding {
  return { check, state: 'fail', says, mend }
}
