// Where a host keeps its things: $MUSTER_HOME/host. The one place that knows the names of its files.

import { chmod, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../contract/errors.ts'

export interface HostHome {
  readonly dir: string
  readonly database: string
  /** What the keeper works below: `runs/RUN` and `procs/NAME.GENERATION`, each a directory of one process. */
  readonly keeperLog: string
  /** What its people's policy said when it was last looked at. */
  readonly policySeen: string
  runDir(run: string): string
  readonly procsDir: string
}

export function hostHome(dir: string): HostHome {
  return {
    dir,
    database: join(dir, 'host.db'),
    keeperLog: join(dir, 'keeper.log'),
    policySeen: join(dir, 'policy-seen.json'),
    runDir: (run) => join(dir, 'runs', run),
    procsDir: join(dir, 'procs'),
  }
}

/** Makes the directories, for this account alone. Throws `home.unusable`. */
export async function makeHome(home: HostHome): Promise<void> {
  try {
    for (const dir of [home.dir, join(home.dir, 'runs'), home.procsDir]) await mkdir(dir, { recursive: true, mode: 0o700 })
    // One that was there before: sockets and database rely on the directory.
    if (((await stat(home.dir)).mode & 0o077) !== 0) await chmod(home.dir, 0o700)
  } catch (error) {
    throw failure('home.unusable', { path: home.dir, problem: (error as Error).message }, { cause: error })
  }
}
