// Compiles src/ to dist/ for the package: `npm run build`, and `npm pack` by itself. A checkout runs its sources as they are.

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

// What was deleted in src must not live on in the package.
rmSync(`${root}/dist`, { recursive: true, force: true })
const done = spawnSync('tsc', ['--project', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
process.exitCode = done.status ?? 1
