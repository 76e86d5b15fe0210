// How large a workflow may be. Everything that reads one is bounded by these; docs/workflows.md tells them.

/** What keeps one workflow from eating the hub. All of it is in docs/workflows.md, "Limits". */
export const limits = {
  sourceBytes: 512 * 1024,
  nodes: 200_000,
  depth: 32,
  inputs: 200,
  inputBytes: 256 * 1024,
  steps: 1000,
  argv: 4096,
  artifacts: 64,
  hosts: 1000,
  items: 10_000,
  parallel: 1000,
  stepIdChars: 63,
  stdoutBytes: 64 * 1024,
  itemTextBytes: 1024,
  checkMs: 5000,
  expressionMs: 1000,
} as const
