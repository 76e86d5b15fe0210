// Carries runs of kind workflow on the hub's own host: the engine (src/workflow) with this hub's queue and fleet as its dispatcher.
// A workflow's units are runs of their own, with ids made from the workflow's, so that a restarted hub finds the ones it had started.

import type { Executor } from '../connectors/table.ts'
import { failure } from '../contract/errors.ts'
import { localHost } from '../contract/names.ts'
import { cancelRun, getRun, isTerminal, RunSpec } from '../contract/run.ts'
import { untilStored } from '../store/until-stored.ts'
import { checkWorkflow } from '../workflow/check.ts'
import type { Dispatcher } from '../workflow/dispatcher.ts'
import { executeWorkflow } from '../workflow/execute.ts'
import { resolveInputs } from '../workflow/inputs.ts'
import type { Fleet } from './fleet.ts'
import type { HostDoor } from './host-door.ts'
import type { Queue } from './queue.ts'
import { unitResult } from './unit-result.ts'

/** How long a unit waits for a host that is offline, before it begins or for what it wrote, before it fails: a node that restarts or dials again is back by then. */
const unitExpiresInMs = 120_000

/** Refuses a workflow that cannot run, before it is queued. Throws `workflow.invalid`, `workflow.input`. */
export function checkWorkflowSpec(spec: RunSpec): void {
  if (spec.kind === 'workflow') resolveInputs(checkWorkflow(spec.source, spec.file), spec.inputs)
}

export interface WorkflowParts {
  readonly fleet: Fleet
  readonly queue: Queue
  readonly door: HostDoor
}

export function workflowExecutor(parts: Promise<WorkflowParts>): Executor {
  return async ({ run, spec, history, emit, write, signal }) => {
    if (spec.kind !== 'workflow') throw failure('run.kind_unsupported', { host: localHost, kind: spec.kind })
    const plan = checkWorkflow(spec.source, spec.file)
    // A hub that fails to open never has them.
    const given = await Promise.race([parts, abortOf(signal)])
    return executeWorkflow({
      plan,
      inputs: resolveInputs(plan, spec.inputs),
      run,
      defaultHost: spec.host ?? localHost,
      ...(spec.cwd !== undefined && { cwd: spec.cwd }),
      history,
      emit,
      write,
      signal,
      dispatcher: dispatcher(given, (notice) => write('stderr', `${notice}\n`), signal),
    })
  }
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** `tell` reaches whoever watches the workflow. `signal` ends its waiting for a store that is full. */
function dispatcher(
  { fleet, queue, door }: WorkflowParts,
  tell: (notice: string) => Promise<void>,
  signal: AbortSignal,
): Dispatcher {
  return {
    async submit({ run, host, spec, parent }) {
      const to = fleet.find(host)
      const submission = { host: to, spec: RunSpec.parse(spec), run, parent, queue: true, expiresInMs: unitExpiresInMs }
      const job = await untilStored(() => queue.submit(submission), signal)
      if (job.state !== 'queued' || to.connector.state.status === 'online') return
      await tell(`${host} is offline: ${run} waits for it, at most ${unitExpiresInMs / 60_000} minutes`)
    },
    async finished({ run, host }, signal) {
      await queue.ended(run, signal)
      return unitResult({ caller: door.caller(fleet.find(host)), run, host, signal, waitMs: unitExpiresInMs })
    },
    async cancel({ run, host }) {
      const caller = door.caller(fleet.find(host))
      const { state } = await caller.call(getRun, { run })
      if (!isTerminal(state)) await caller.call(cancelRun, { run })
    },
  }
}
