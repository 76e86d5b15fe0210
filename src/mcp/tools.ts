// The tools: which ones an asker sees, and a call of one from its arguments to its answer. What goes wrong is an answer too, for the model
// is the one who can do something about it.

import { asMusterError, failure } from '../contract/errors.ts'
import { describeIssue } from '../contract/implementation.ts'
import type { ToolAnswer, ToolCall } from './answer.ts'
import type { Catalogs } from './catalogs.ts'
import {
  environmentsList,
  nodeFile as fileDefinition,
  nodeInvoke as invokeDefinition,
  type ToolDefinition,
} from './definitions.ts'
import { environmentsListed } from './environments-list.ts'
import type { Asker, ToolFleet } from './fleet.ts'
import type { Invocations } from './invocations.ts'
import { type Near, nodeFile } from './node-file.ts'
import { nodeInvoke } from './node-invoke.ts'
import { toldError } from './told-errors.ts'

/** What the tools of one asker work with. */
export interface Toolbox {
  readonly fleet: ToolFleet
  readonly asker: Asker
  readonly catalogs: Catalogs
  readonly invocations: Invocations
  readonly here: () => Promise<Near>
}

interface Tool {
  readonly definition: ToolDefinition
  readonly call: (box: Toolbox, input: never, call: ToolCall) => Promise<ToolAnswer>
}

const tools: readonly Tool[] = [
  {
    definition: environmentsList,
    call: ({ fleet, asker, catalogs }, input, call) => environmentsListed({ fleet, owner: asker.id, catalogs }, input, call),
  },
  {
    definition: invokeDefinition,
    call: ({ fleet, asker, invocations }, input, call) => nodeInvoke({ fleet, asker, invocations }, input, call),
  },
  { definition: fileDefinition, call: nodeFile },
]

/** Always in the same order. Who may not operate sees what only looks, and who may not read sees nothing. */
export function toolsFor({ scopes }: Asker): readonly ToolDefinition[] {
  return tools.map(({ definition }) => definition).filter(({ readOnly }) => scopes.has(readOnly ? 'read' : 'operate'))
}

/** Undefined: there is no such tool. Rejects only where the caller has left. */
export async function callTool(box: Toolbox, name: string, given: unknown, call: ToolCall): Promise<ToolAnswer | undefined> {
  const tool = tools.find(({ definition }) => definition.name === name)
  if (!tool) return undefined
  try {
    return await tool.call(box, parsed(tool.definition, given) as never, call)
  } catch (thrown) {
    if (call.signal.aborted) throw thrown
    const { node_id, node = node_id, command } = (given ?? {}) as Record<string, unknown>
    const about = { ...(typeof node === 'string' && { node }), ...(typeof command === 'string' && { command }) }
    return { content: [{ type: 'text', text: toldError(asMusterError(thrown), about) }], isError: true }
  }
}

/** Throws `input.invalid`. */
function parsed({ name, input }: ToolDefinition, given: unknown): unknown {
  const result = input.safeParse(tidied(given))
  if (result.success) return result.data
  throw failure('input.invalid', { what: name, problem: result.error.issues.map(describeIssue).join('; ') })
}

/** What models write for "not given", and an object that was written as its JSON. */
function tidied(given: unknown): unknown {
  if (typeof given !== 'object' || given === null) return given ?? {}
  const fields = Object.entries(given).filter(([, value]) => value !== null)
  return Object.fromEntries(
    fields.map(([name, value]) => [name, name === 'params' && typeof value === 'string' ? fromJson(value) : value]),
  )
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // It stays text, which the schema refuses in its own words.
    return text
  }
}
