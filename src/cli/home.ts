// $MUSTER_HOME: where it is, that it is ours alone, and the names of what the command line itself keeps there.
// What hub, host and node keep inside their own directories is theirs to know.

import { constants } from 'node:fs'
import { access, mkdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { failure } from '../contract/errors.ts'
import { describeFileProblem } from '../contract/file-problem.ts'
import { isDiskFull } from '../host/room.ts'

export interface Home {
  readonly dir: string
  readonly hubDir: string
  /** Who serves the hub of this home, while it does. */
  readonly hubRecord: string
  readonly hubLog: string
  /** How the last hub that was started in the background ended. */
  readonly hubEnded: string
  /** The home of the second host of `muster up`. */
  readonly secondDir: string
}

export function homeAt(env: NodeJS.ProcessEnv): Home {
  const dir = resolve(env.MUSTER_HOME || join(homedir(), '.muster'))
  const hubDir = join(dir, 'hub')
  return {
    dir,
    hubDir,
    hubRecord: join(hubDir, 'hub.json'),
    hubLog: join(hubDir, 'hub.log'),
    hubEnded: join(hubDir, 'ended.json'),
    secondDir: join(dir, 'up', 'second'),
  }
}

/** Makes the home, for this account alone. Throws `home.unusable`. */
export async function openHome(env: NodeJS.ProcessEnv): Promise<Home> {
  const home = homeAt(env)
  const problem =
    (await notMade(home.dir)) ?? (await homeProblem(home.dir)) ?? (isDiskFull(home.dir) ? 'its disk is full' : undefined)
  if (problem !== undefined) throw failure('home.unusable', { path: home.dir, problem })
  return home
}

/** Why there is no home and none can be made; undefined when there is something. */
async function notMade(dir: string): Promise<string | undefined> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    return undefined
  } catch (error) {
    // A file of that name: that is said better.
    return (error as NodeJS.ErrnoException).code === 'EEXIST' ? undefined : describeFileProblem(error)
  }
}

/** Why something must not be a home; undefined when it may. */
export async function homeProblem(dir: string): Promise<string | undefined> {
  const found = await stat(dir)
  const us = process.getuid?.()
  if (!found.isDirectory()) return 'it is not a directory'
  if (us !== undefined && found.uid !== us) return `it belongs to the account ${found.uid}, and this is ${us}`
  const mode = found.mode & 0o777
  if ((mode & 0o077) !== 0) return `other accounts can look into it (mode ${mode.toString(8)}); \`chmod 700 ${dir}\` mends that`
  return await access(dir, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => undefined,
    (error: unknown) => `it cannot be written: ${describeFileProblem(error)}`,
  )
}
