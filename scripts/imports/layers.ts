// Which folder of src/ may import which, and who owns a package: the one table behind `npm run check` and docs/architecture.md.
// A new folder under src/ gets a row here. To widen a row is a decision: say why beside it.

interface Layer {
  readonly meaning: string
  readonly mayImport: readonly string[]
  /** Single files of other layers, for assembling a process out of them. */
  readonly entryPoints?: readonly string[]
}

/** From the bottom up: a layer is imported only by layers below it in this list. */
export const layers: Readonly<Record<string, Layer>> = {
  contract: { meaning: 'what a host or a hub can be asked: schemas, operations, events, errors', mayImport: [] },
  wire: { meaning: 'the peer that carries the contract: channels, frames, flow control, handshake', mayImport: ['contract'] },
  store: { meaning: 'what must survive: one schema on SQLite or PostgreSQL, and output files', mayImport: ['contract'] },
  expression: { meaning: 'what every use of CEL shares: values, limits, a bound in time', mayImport: [] },
  policy: {
    meaning: 'the one evaluator of who may have what begun on a host; no input or output',
    mayImport: ['contract', 'expression'],
  },
  transfer: { meaning: 'copies of files: one side from a disk, and how a copy goes from side to side', mayImport: ['contract'] },
  host: {
    meaning: 'one machine: front door, procs, runs, the keeper',
    mayImport: ['contract', 'wire', 'store', 'policy', 'transfer'],
  },
  workflow: { meaning: 'YAML to a checked plan to a durable execution', mayImport: ['contract', 'expression'] },
  sdk: { meaning: 'the typed client of a hub', mayImport: ['contract', 'wire'] },
  connectors: {
    // sdk: another hub is reached as its API's client.
    meaning: 'the ways to reach a host, a folder each',
    mayImport: ['contract', 'wire', 'host', 'sdk'],
  },
  hub: {
    // wire: a hub has a key and is handed channels.
    meaning: 'the centre: registry, fleet, queue, mirror, tokens',
    mayImport: ['contract', 'wire', 'connectors', 'workflow', 'store', 'policy', 'transfer'],
  },
  mcp: { meaning: "a model's tools over a hub's operations", mayImport: ['contract', 'transfer'] },
  api: {
    // wire: the door turns a node's HTTP upgrade into a channel, which only wire can make.
    meaning: "HTTP, SSE, `/mcp` and the tunnel's door, derived from the contract",
    mayImport: ['contract', 'wire', 'hub', 'mcp'],
  },
  cli: {
    // wire: where sockets are and which version this is. The rest are the parts that a hub's and a node's process are made of.
    meaning: 'the command line; assembles the processes',
    mayImport: ['contract', 'sdk', 'wire', 'transfer'],
    entryPoints: [
      'src/mcp/fleet.ts',
      'src/mcp/stdio.ts',
      'src/mcp/overview.ts',
      'src/hub/hub.ts',
      'src/host/host.ts',
      'src/host/policy.ts',
      'src/host/policy-edit.ts',
      'src/host/policy-file.ts',
      'src/host/commands/at-home.ts',
      'src/host/kept-audit.ts',
      'src/host/started-with.ts',
      'src/host/process-identity.ts',
      'src/host/room.ts',
      // An export is checked without a hub.
      'src/store/audit-chain.ts',
      'src/api/api.ts',
      'src/api/descriptors.ts',
      'src/connectors/config.ts',
      'src/connectors/links.ts',
      'src/connectors/flags.ts',
    ],
  },
}

/** Packages that only some layers may know, so that they can be replaced there. */
export const packageOwners: Readonly<Record<string, readonly string[]>> = {
  'node:sqlite': ['store'],
  kysely: ['store'],
  pg: ['store'],
  liquidjs: ['workflow'],
  yaml: ['workflow'],
  '@marcbachmann/cel-js': ['workflow', 'policy'],
  ws: ['wire', 'api'],
  fastify: ['api'],
  commander: ['cli'],
  ajv: ['contract'],
  '@modelcontextprotocol/server': ['mcp'],
  '@napi-rs/keyring': ['hub'],
  // connectors: a node makes its own signing request.
  '@peculiar/x509': ['hub', 'connectors'],
  'reflect-metadata': ['hub', 'connectors'],
  '@aws-sdk/client-s3': ['connectors'],
  'google-auth-library': ['connectors'],
}

/** The rows as docs/architecture.md shows them. */
export function layerTable(): string {
  const rows = Object.entries(layers).map(([folder, { meaning, mayImport, entryPoints }]) => {
    const allowed = [mayImport.join(', '), (entryPoints ?? []).map((file) => `\`${file}\``).join(', ')].filter(Boolean)
    return `| \`src/${folder}/\` | ${meaning} | ${allowed.join('; ') || 'nothing of ours'} |`
  })
  const owners = Object.entries(packageOwners).map(([name, owner]) => `| \`${name}\` | ${owner.join(', ')} |`)
  return [
    '| folder | what it is | may import |',
    '|---|---|---|',
    ...rows,
    '',
    '| package | known only to |',
    '|---|---|',
    ...owners,
  ].join('\n')
}
