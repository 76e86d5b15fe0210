// A proc that answers messages: what a test applies to a host.

import { failure } from '../../src/contract/errors.ts'
import { serveProc } from '../../src/host/procs/worker.ts'

process.stderr.write('echo-proc is here\n')
await serveProc({
  echo: async (params) => params,
  whoami: async () => ({ pid: process.pid, secret: process.env.MUSTER_PROC_SECRET ?? null }),
  refuse: async () => {
    throw failure('run.unknown', { run: 'nothing' })
  },
  crash: async () => {
    process.stderr.write('about to crash\n')
    process.exit(3)
  },
  hang: () =>
    new Promise(() => {
      setInterval(() => {}, 1000)
    }),
})
