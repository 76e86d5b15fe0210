// The package as a user has it: the build without the sources, on the packages of this checkout.

import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../scripts/files.ts'

export interface PackageCopy extends AsyncDisposable {
  /** Its `muster` command, to be run by Node. */
  readonly command: string
}

export async function makePackageCopy(): Promise<PackageCopy> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-bench-'))
  const remove = () => rm(dir, { recursive: true, force: true })
  for (const part of ['bin', 'package.json']) await cp(join(root, part), join(dir, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
  const built = spawnSync(process.execPath, [join(root, 'scripts/build.js'), join(dir, 'dist')], { encoding: 'utf8' })
  if (built.status !== 0) {
    await remove()
    throw new Error(`the package could not be built:\n${built.stdout}${built.stderr}`)
  }
  return { command: join(dir, 'bin/muster.js'), [Symbol.asyncDispose]: remove }
}
