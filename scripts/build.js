// Makes dist/ (or the directory of its argument) of src/ for the package: `npm run build`, and `npm pack` by itself. A checkout runs its
// sources as they are. What is always loaded together is one file, and zod is taken in without the languages that nobody asks for: a
// short command would spend a third of its time on opening 180 files. The rest of the packages stay what they are.

import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const dir = process.argv[2] ?? join(root, 'dist')
const takenIn = ['commander', 'zod']

// What was deleted in src must not live on in the package.
rmSync(dir, { recursive: true, force: true })
const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const outside = Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !takenIn.includes(name))
const bundle = await rolldown({
  // Each is started by its path: the command line, and the process that keeps a host's children.
  input: { 'cli/main': join(root, 'src/cli/main.ts'), 'host/keeper/main': join(root, 'src/host/keeper/main.ts') },
  platform: 'node',
  external: (id) => outside.some((name) => id === name || id.startsWith(`${name}/`)),
})
await bundle.write({ dir, chunkFileNames: 'parts/[name]-[hash].js', sourcemap: true, sourcemapExcludeSources: true })
await bundle.close()
mkdirSync(join(dir, 'licenses'))
for (const name of takenIn) copyFileSync(join(root, 'node_modules', name, 'LICENSE'), join(dir, 'licenses', name))
