// What is counted from outside the product: how often each command started, by lines that the commands append themselves, and
// which processes are alive, by /proc.

import { readdir, readFile } from 'node:fs/promises'

/** How often each line stands in a file to which every command appends its own as it starts. */
export async function countStarts(file: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    if (line !== '') counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  return counts
}

export interface Starts {
  readonly lost: string[]
  readonly doubled: string[]
  /** Started, and nobody was told that it was accepted. */
  readonly unknown: string[]
}

/** Compares the starts with what was accepted. */
export function compareStarts(accepted: Iterable<string>, counts: ReadonlyMap<string, number>): Starts {
  const known = new Set(accepted)
  return {
    lost: [...known].filter((key) => !counts.has(key)),
    doubled: [...counts].flatMap(([key, count]) => (count > 1 ? [key] : [])),
    unknown: [...counts.keys()].filter((key) => !known.has(key)),
  }
}

export interface LiveProcess {
  readonly pid: number
  readonly command: string
}

/** The processes that are alive and whose command line or environment holds the text; zombies have ended. */
export async function processesWith(text: string): Promise<LiveProcess[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
  const found = await Promise.all(
    pids.map(async (pid): Promise<LiveProcess[]> => {
      // One that has just ended, or another account's, is nobody's of ours.
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '')
      const [command, environment] = await Promise.all([read('cmdline'), read('environ')])
      if (!command.includes(text) && !environment.includes(text)) return []
      return [{ pid: Number(pid), command: command.replaceAll('\0', ' ').trim() }]
    }),
  )
  return found.flat()
}

/** The keepers of a host's home: one while it has processes, and never two. */
export async function keepersOf(hostHome: string): Promise<number[]> {
  const keepers = (await processesWith(hostHome)).filter(({ command }) => /keeper\/main\.[jt]s /.test(command))
  return keepers.flatMap(({ pid, command }) => (command.endsWith(` ${hostHome}`) ? [pid] : []))
}
