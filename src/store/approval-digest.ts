// The digest that binds an answer to what was shown: of everything that will run, in one spelling. A host makes it; a hub makes it again
// from what it shows, so that no card can say one thing and mean another.

import { createHash } from 'node:crypto'
import type { AskedToRun } from '../contract/approval.ts'
import { canonicalJson } from './canonical.ts'

export function digestOf(asked: AskedToRun): string {
  return sha256(canonicalJson(asked))
}

/**
 * What two questions have in common where an answer for a session covers both: who asks, the command, its program, directory and
 * script, its variables, and the names of its parameters. Values of parameters may differ.
 */
export function shapeOf({ host, hub, asker, command, params, argv, cwd, env, script, session }: AskedToRun): string {
  return sha256(
    canonicalJson({
      host,
      hub,
      asker,
      session,
      command,
      cwd,
      program: programOf(argv, params),
      parameters: Object.keys(params).sort(),
      // By their tags, with the values: PATH, LD_PRELOAD and their like make another program of the same name.
      env,
      script: script?.sha256 ?? null,
    }),
  )
}

/** Without it, `exec` of one program for a session would be `exec` of any. */
function programOf(argv: AskedToRun['argv'], params: AskedToRun['params']): unknown {
  const list = argv ?? params.argv
  return Array.isArray(list) ? (list[0] ?? null) : null
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
