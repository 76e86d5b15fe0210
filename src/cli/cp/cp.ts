// `muster cp`: files from side to side, with a bar where somebody looks on.

import { failure } from '../../contract/errors.ts'
import { type CopyOutcome, copyFiles } from '../../transfer/copy.ts'
import { connect } from '../hub-connection.ts'
import { showProgress } from '../invoke/progress.ts'
import { untilInterrupted } from '../leaving.ts'
import type { Action, Outcome } from '../perform.ts'
import { letHeapGrow } from '../streaming-heap.ts'
import { copyBar } from './bar.ts'
import { readPlaces } from './places.ts'
import { said, tellProblems } from './result.ts'

interface CpOptions {
  readonly recursive?: true
  readonly force?: true
  readonly clobber: boolean
  readonly dryRun?: true
}

export const cp: Action<CpOptions, [string[]]> = async (terminal, options, paths) => {
  if (paths.length < 2)
    throw failure('cli.usage', {
      problem: 'A source and a target are wanted.',
      hint: 'Write `muster cp FILE HOST:PATH` or `muster cp HOST:PATH FILE`.',
    })
  letHeapGrow()
  using client = connect(terminal)
  const places = await readPlaces(terminal.cwd, client, paths)
  const { recursive = false, force = false, clobber, dryRun = false } = options
  const startedAt = performance.now()
  using bar = copyBar(terminal)
  const copy = (signal: AbortSignal) =>
    copyFiles({
      ...places,
      recursive,
      again: force,
      replace: clobber,
      dryRun,
      signal,
      onProgress: bar.show,
      onAsked: (question) => showProgress(terminal, question),
      onWaiting: (error) => terminal.say(`${error.message} Going on once it is back.`),
    })
  const outcome = await untilInterrupted(copy, () => {
    bar.clear()
    terminal.say(`Interrupted${bar.progress()}. The same command goes on where it stood.`)
  })
  bar.clear()
  return report(terminal, outcome, { seconds: (performance.now() - startedAt) / 1000, dryRun })
}

/** What one single file met is the failure of the command. */
function report(
  terminal: Parameters<typeof tellProblems>[0],
  outcome: CopyOutcome,
  { seconds, dryRun }: { seconds: number; dryRun: boolean },
): Outcome {
  const { copied, problems, left } = outcome
  const [only, ...others] = problems
  if (only && others.length === 0 && copied.length === 0 && left === 0) throw only.error
  tellProblems(terminal, problems)
  if (!dryRun && terminal.errScreen) terminal.say(said(outcome, seconds))
  const json = { ...outcome, problems: problems.map(({ place, error }) => ({ place, ...error.toValue() })), dryRun }
  const exit = problems.length > 0 ? 1 : 0
  return { json, exit, ...(dryRun && { text: copied.map(({ from, to }) => `${from} -> ${to}`).join('\n') }) }
}
