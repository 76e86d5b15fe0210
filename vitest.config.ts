// Which tests run how. `npm test` runs all of it; `npx vitest run --project unit src/wire` runs one corner.

import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Tests leave the keychain of whoever runs them alone; the test of the keychain has one of its own.
process.env.MUSTER_KEYCHAIN = 'off'

/** By default a machine with two cores gets one, which vitest then sets apart from all groups. */
const computing = { maxWorkers: Math.max(2, availableParallelism() - 1) }

/**
 * Real hubs, nodes and links: three files at a time of whatever kind, since they wait more than they compute. A machine that is fuller
 * makes waits lie.
 */
const waiting = { maxWorkers: 3, sequence: { groupOrder: 1 }, hookTimeout: 300_000 }

export default defineConfig({
  test: {
    // Processes, not threads: layers set the umask, signal themselves and read process.env, which belong to the process.
    // Threads were no faster when tried (10.2 s against 10.8 s for host and workflow).
    pool: 'forks',
    projects: [
      {
        // Beside their sources, and the habits of the tree. They may start small processes, but no hub.
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/{docs,habits}/**/*.test.ts'],
          exclude: ['src/store/**'],
          testTimeout: 60_000,
          ...computing,
        },
      },
      {
        // Each on node:sqlite and on a PostgreSQL of its own.
        test: { name: 'store', include: ['src/store/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 120_000, ...computing },
      },
      {
        // Real hubs, nodes and packages.
        test: {
          name: 'process',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{docs,habits,chaos}/**', 'test/connectors/conformance/**'],
          testTimeout: 300_000,
          ...waiting,
        },
      },
      {
        // One table of cases on each connector, a file each. Cases that disturb nobody run together.
        test: {
          name: 'connectors',
          include: ['test/connectors/conformance/**/*.test.ts'],
          maxConcurrency: 6,
          testTimeout: 300_000,
          ...waiting,
        },
      },
      {
        // Breaks real hubs, nodes and links, hundreds of times. Each test sets its own deadlines.
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.test.ts'],
          env: { MUSTER_CHAOS_SHARE: process.env.MUSTER_CHAOS_SHARE ?? '1', MUSTER_SEED: process.env.MUSTER_SEED ?? '1' },
          testTimeout: 0,
          ...waiting,
        },
      },
      {
        // A seeded slice of each; `npm run soak` makes them long. They last MUSTER_SOAK_SECONDS, so there is no limit here.
        test: {
          name: 'soak',
          include: ['test/soak/**/*.soak.ts'],
          env: { MUSTER_SOAK_SECONDS: process.env.MUSTER_SOAK_SECONDS ?? '10', MUSTER_SEED: process.env.MUSTER_SEED ?? '1' },
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          testTimeout: 0,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
