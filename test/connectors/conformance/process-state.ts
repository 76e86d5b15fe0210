// How a process of this machine stands, as /proc has it: the hosts of the fixtures are this machine.

import { readFile } from 'node:fs/promises'

/** `T` while it is stopped, `D` while it waits for what no signal ends, `Z` once it is dead and not reaped; undefined when it is gone. */
async function stateOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name before it may hold anything, brackets too.
    return stat.slice(stat.lastIndexOf(')') + 2)[0]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ESRCH') return undefined
    throw error
  }
}

export async function isGone(pid: number): Promise<boolean> {
  const state = await stateOf(pid)
  return state === undefined || state === 'Z'
}

/** Also one that cannot go on before the child that it has just made (vfork(2)), which is stopped. */
export async function isStopped(pid: number): Promise<boolean> {
  const state = await stateOf(pid)
  if (state !== 'D') return state === 'T'
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')).trim().split(' ')
  return (await Promise.all(children.map((child) => stateOf(Number(child))))).includes('T')
}
