// What may stand where the cursor is, by the tree of commands alone. Names that only a hub knows are left to be asked for.

import type { Argument, Command, Option } from 'commander'
import { AuditDecision } from '../../contract/audit.ts'
import { runStates } from '../../contract/run.ts'
import { tokenRoles } from '../../contract/token.ts'

export interface Answer {
  readonly word: string
  readonly description: string
}

export type NameKind = 'host' | 'run' | 'artifact' | 'approval'

/** `words` are those after `muster`, up to the cursor; the last one is being typed and may be empty. */
export function answersFor(program: Command, words: readonly string[]): { answers: Answer[] } | { ask: NameKind; of?: string } {
  const begun = words.at(-1) ?? ''
  const place = walk(program, words.slice(0, -1))
  if (place.command === undefined) return { answers: [] }
  const { command, awaiting, argumentsSeen } = place
  const awaited = awaiting?.name() ?? command.registeredArguments[argumentsSeen]?.name()
  // exec's --artifact takes globs of files that are not there yet.
  const kind = awaiting?.name() === 'artifact' ? undefined : kindOf(awaited)
  if (kind && !begun.startsWith('-')) return kind === 'artifact' ? { ask: kind, of: place.lastArgument } : { ask: kind }
  const answers = awaiting
    ? valuesOf(awaiting)
    : begun.startsWith('-')
      ? optionsOf(command)
      : wordsOf(command, command.registeredArguments[argumentsSeen])
  return { answers: answers.filter(({ word }) => word.startsWith(begun)) }
}

interface Place {
  /** Undefined after `--`: what stands there is no word of ours. */
  readonly command: Command | undefined
  /** The option whose value is being typed. */
  readonly awaiting?: Option
  readonly argumentsSeen: number
  /** The one before: a run, where its artifact is asked for. */
  readonly lastArgument: string
}

function walk(program: Command, words: readonly string[]): Place {
  let command = program
  let argumentsSeen = 0
  let awaiting: Option | undefined
  let lastArgument = ''
  for (const word of words) {
    if (word === '--') return { command: undefined, argumentsSeen: 0, lastArgument }
    if (awaiting) {
      awaiting = undefined
    } else if (word.startsWith('-')) {
      const option = command.options.find(({ long, short }) => long === word || short === word)
      if (option?.required) awaiting = option
    } else {
      const below = command.commands.find((one) => one.name() === word)
      if (below) command = below
      else {
        argumentsSeen++
        lastArgument = word
      }
    }
  }
  return { command, argumentsSeen, lastArgument, ...(awaiting && { awaiting }) }
}

function kindOf(name: string | undefined): NameKind | undefined {
  if (name === 'host' || name === 'hosts') return 'host'
  if (name === 'artifact' || name === 'approval') return name
  return name === 'run' || name === 'parent' ? 'run' : undefined
}

function wordsOf(command: Command, argument: Argument | undefined): Answer[] {
  const commands = command.createHelp().visibleCommands(command)
  return [
    ...commands.map((one) => ({ word: one.name(), description: one.description() })),
    ...(argument?.name() === 'shell' ? ['bash', 'zsh', 'fish'].map((word) => ({ word, description: '' })) : []),
  ]
}

function optionsOf(command: Command): Answer[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map(({ long, short, description }) => ({ word: long ?? short ?? '', description }))
}

function valuesOf(option: Option): Answer[] {
  const values = {
    role: [...tokenRoles],
    decision: [...AuditDecision.options],
    kind: ['command', 'workflow'],
    state: Object.keys(runStates),
    stream: ['both', 'merged', 'stdout', 'stderr'],
    allow: ['runs', 'procs'],
  }
  const known: Readonly<Record<string, readonly string[]>> = values
  return (known[option.name()] ?? []).map((word) => ({ word, description: '' }))
}
