// The tools as a model sees them: names, descriptions, schemas. They are the same for any fleet, and every word of them is paid for with
// each request that a model's client makes (docs/mcp.md has the count, which a test holds).

import { z } from 'zod'

const longestWaitS = 600
export const usualWaitS = 25

const EnvironmentsList = z.strictObject({
  query: z.string().max(200).optional().describe('Words in names, labels, commands'),
  node_id: z.string().max(128).optional(),
  command: z.string().max(200).optional().describe('Name or part; shows its JSON Schemas'),
  since: z.number().min(0).optional().describe('Tell what changed after this number'),
  cursor: z.string().max(128).optional().describe('Next page'),
})

const NodeInvoke = z.strictObject({
  node_id: z.string().max(128).optional().describe('Name or id; "local" is the hub\'s machine'),
  command: z.string().max(128).optional(),
  params: z.record(z.string(), z.unknown()).optional().describe("By the command's schema"),
  wait_s: z.number().min(0).max(longestWaitS).optional().describe(`Default ${usualWaitS}; then a handle`),
  keep: z.boolean().optional().describe('exec only: make it a run, which goes on without you'),
  reason: z.string().max(1000).optional().describe('For the person who may have to approve'),
  handle: z.string().max(128).optional().describe('Go on with this one instead: wait, or read'),
  offset: z.number().min(0).optional().describe('Read its output from here'),
  stream: z.enum(['stdout', 'stderr']).optional(),
  cancel: z.boolean().optional(),
})
const NodeFile = z.strictObject({
  node: z.string().max(128),
  direction: z.enum(['push', 'pull']).describe('push: local to node'),
  local_path: z.string().min(1).max(4096),
  remote_path: z.string().min(1).max(4096),
  overwrite: z.boolean().optional(),
})
export type NodeFileInput = z.output<typeof NodeFile>
export type NodeInvokeInput = z.output<typeof NodeInvoke>
export type EnvironmentsListInput = z.output<typeof EnvironmentsList>

export interface ToolDefinition<In extends z.ZodObject = z.ZodObject> {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly input: In
  /** Whether it only looks: those who may not operate see nothing else. */
  readonly readOnly: boolean
}

function define<In extends z.ZodObject>(definition: ToolDefinition<In>): ToolDefinition<In> {
  return definition
}

export const environmentsList = define({
  name: 'environments_list',
  title: 'Environments',
  description:
    'The machines you can use: id, status, labels, commands (! asks a person, ? is optional). Narrow it for JSON Schemas; `since` tells of hosts that came or went, runs that ended, approvals that wait.',
  input: EnvironmentsList,
  readOnly: true,
})

export const nodeInvoke = define({
  name: 'node_invoke',
  title: 'Run a command on a machine',
  description:
    'Runs a command of a machine. What takes longer answers with a handle: call again with it to wait, read the rest, or cancel. Without keep it ends when you leave.',
  input: NodeInvoke,
  readOnly: false,
})

export const nodeFile = define({
  name: 'node_file',
  title: 'Copy files to or from a machine',
  description:
    'Copies a file or directory between here and a machine, of any size, without its bytes passing before you; SHA-256 is checked at both ends. The same call goes on with a copy that broke off.',
  input: NodeFile,
  readOnly: false,
})

/** A tool as a client is shown it. */
export function shownTool({ name, title, description, input, readOnly }: ToolDefinition) {
  const { $schema: _dialect, ...inputSchema } = z.toJSONSchema(input, { io: 'input' })
  const annotations = readOnly ? { readOnlyHint: true, openWorldHint: false } : { destructiveHint: true }
  return { name, title, description, inputSchema, annotations }
}
