// Which tests run how. `npm test` runs all of it; `npx vitest run --project unit src/wire` runs one corner.

import { defineConfig } from 'vitest/config'

// Tests leave the keychain of whoever runs them alone; the test of the keychain has one of its own.
process.env.MUSTER_KEYCHAIN = 'off'

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
        },
      },
      {
        // Each on node:sqlite and on a PostgreSQL of its own.
        test: { name: 'store', include: ['src/store/**/*.test.ts'], testTimeout: 30_000, hookTimeout: 60_000 },
      },
      {
        // Real hubs, nodes and packages. Two at a time: they wait more than they compute, but a full machine makes waits lie.
        test: {
          name: 'process',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{docs,habits,chaos}/**', 'test/connectors/conformance/**'],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // One table of cases on each connector, a file each. Cases that disturb nobody run together.
        test: {
          name: 'connectors',
          include: ['test/connectors/conformance/**/*.test.ts'],
          maxWorkers: 2,
          maxConcurrency: 6,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Breaks real hubs, nodes and links, hundreds of times. Each test sets its own deadlines.
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.test.ts'],
          env: { MUSTER_CHAOS_SHARE: process.env.MUSTER_CHAOS_SHARE ?? '1', MUSTER_SEED: process.env.MUSTER_SEED ?? '1' },
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
          testTimeout: 0,
          hookTimeout: 120_000,
        },
      },
      {
        // A seeded slice of each; `npm run soak` makes them long. They last MUSTER_SOAK_SECONDS, so there is no limit here.
        test: {
          name: 'soak',
          include: ['test/soak/**/*.soak.ts'],
          env: { MUSTER_SOAK_SECONDS: process.env.MUSTER_SOAK_SECONDS ?? '10', MUSTER_SEED: process.env.MUSTER_SEED ?? '1' },
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
          testTimeout: 0,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
