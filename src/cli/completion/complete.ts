// Answers the shell on Tab: commands, options, and the names of hosts and runs where a hub answers quickly.

import type { Command } from 'commander'
import { listApprovals } from '../../contract/approval.ts'
import { listArtifacts } from '../../contract/artifact.ts'
import { findRun, listFleetRuns } from '../../contract/fleet.ts'
import { listHosts } from '../../contract/host.ts'
import { showBytes } from '../byte-size.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import type { Terminal } from '../terminal.ts'
import { type Answer, answersFor, type NameKind } from './answers.ts'

/** A Tab that takes longer is felt. */
const deadlineMs = 500

/** `program` is the tree of commands that the words belong to. */
export function completeFrom(program: Command): Action<unknown, [string[]]> {
  return async (terminal, _options, words) => {
    const found = answersFor(program, words)
    const answers = 'ask' in found ? await namesAtHub(terminal, found, words.at(-1) ?? '') : found.answers
    return { json: { answers }, text: answers.map(({ word, description }) => `${word}\t${description}`).join('\n') }
  }
}

interface Asked {
  readonly ask: NameKind
  readonly of?: string
}

async function namesAtHub(terminal: Terminal, { ask: kind, of = '' }: Asked, begun: string): Promise<Answer[]> {
  const named = {
    host: () => hostNames(terminal),
    run: () => runIds(terminal),
    artifact: () => artifactNames(terminal, of),
    approval: () => approvalIds(terminal),
  }
  const names = await named[kind]().catch(() => {
    // Nobody who presses Tab wants to read an error.
    return []
  })
  // Of a list HOST,HOST the last is the one being typed; each is named once.
  const before = kind === 'host' ? begun.slice(0, begun.lastIndexOf(',') + 1) : ''
  const taken = before.split(',')
  return names
    .filter(({ word }) => !taken.includes(word))
    .map(({ word, description }) => ({ word: before + word, description }))
    .filter(({ word }) => word.startsWith(begun))
}

async function hostNames(terminal: Terminal): Promise<Answer[]> {
  using client = connect(terminal)
  const { hosts } = await client.hub.call(listHosts, {}, { timeoutMs: deadlineMs })
  return hosts.map(({ name, status }) => ({ word: name, description: status }))
}

async function artifactNames(terminal: Terminal, run: string): Promise<Answer[]> {
  using client = connect(terminal)
  const { host } = await client.hub.call(findRun, { run }, { timeoutMs: deadlineMs })
  const { artifacts } = await client.host(host).call(listArtifacts, { run }, { timeoutMs: deadlineMs })
  return artifacts.map(({ name, bytes }) => ({ word: name, description: showBytes(bytes) }))
}

async function runIds(terminal: Terminal): Promise<Answer[]> {
  using client = connect(terminal)
  const { runs } = await client.hub.call(listFleetRuns, { limit: 20, deadlineMs }, { timeoutMs: deadlineMs })
  return runs.map(({ id, state, title }) => ({ word: id, description: `${state} ${title}` }))
}

async function approvalIds(terminal: Terminal): Promise<Answer[]> {
  using client = connect(terminal)
  const { approvals } = await client.hub.call(listApprovals, {}, { timeoutMs: deadlineMs })
  return approvals.map(({ id, host, asked }) => ({ word: id, description: `${asked.command} on ${host}` }))
}
