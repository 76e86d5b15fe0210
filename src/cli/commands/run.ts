// `muster run …`: looking at runs and ending them.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { duration, fileName, integer, nonEmpty, oneOf, repeated, single } from '../options.ts'
import type { Perform } from '../perform.ts'

const kinds = ['command', 'workflow']
const streams = ['both', 'merged', 'stdout', 'stderr']

export function runCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'run', 'runs: what runs and ran, its output, and how to end it')
  declareCommand(group, 'list', 'the runs, newest first')
    .addOption(single('--host <host>', 'only those of this host', nonEmpty))
    .addOption(repeated('--state <state>', 'only those in this state, e.g. running; may be repeated', nonEmpty))
    .addOption(single('--kind <kind>', `only those of this kind: ${kinds.join(', ')}`, oneOf(...kinds)))
    .addOption(single('--parent <run>', 'only the units of this workflow run', nonEmpty))
    .addOption(single('--limit <n>', 'at most this many (default 50)', integer(1, 1000)))
    .addOption(single('--before <cursor>', 'the next page: what the page before gave as "next"', nonEmpty))
    .action(perform(async () => (await import('../run/list.ts')).listRuns))
  declareCommand(group, 'show <run>', 'one run as it stands').action(
    perform(async () => (await import('../run/show.ts')).showRun),
  )
  declareCommand(group, 'logs <run>', 'what a run wrote: its stdout to stdout, its stderr to stderr')
    .option('-f, --follow', 'go on until the run has ended')
    .addOption(single('--since <when>', 'only after a chunk number, an ISO time, or a duration back from now (10m)', nonEmpty))
    .addOption(
      single('--stream <which>', `${streams.join(', ')} (default both; merged: both to stdout, in order)`, oneOf(...streams)),
    )
    .addHelpText('after', '\nWith --json each chunk is one line of JSON, as it comes.\n')
    .action(perform(async () => (await import('../run/logs.ts')).showLogs))
  declareCommand(group, 'artifacts <run> [artifact]', 'the files that a run has kept: a list, or one of them to stdout')
    .addOption(single('--into <dir>', 'save all of them, or the one that is named, below this directory', fileName))
    .option('--force', 'with --into: replace files that are there')
    .action(perform(async () => (await import('../run/artifacts.ts')).artifacts))
  declareCommand(group, 'cancel <run>', 'ask a run to end: SIGTERM, and SIGKILL after the grace')
    .addOption(single('--grace <duration>', 'how long it may take to end by itself (default 10s)', duration))
    .action(perform(async () => (await import('../run/cancel.ts')).cancel))
  declareCommand(group, 'pause <run>', 'hold a command up where it is; its timeout counts on').action(
    perform(async () => (await import('../run/pause.ts')).pause),
  )
  declareCommand(group, 'resume <run>', 'let a paused command go on').action(
    perform(async () => (await import('../run/pause.ts')).resume),
  )
  declareCommand(group, 'watch <run>', "a run's state, live, until it has ended; exit 1 if it did not succeed").action(
    perform(async () => (await import('../run/watch.ts')).watch),
  )
}
