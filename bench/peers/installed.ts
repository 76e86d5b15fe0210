// Where a program of this machine is, if it is installed. Servers are often not on a user's path.

import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const file = join(folder, name)
    if (await isProgram(file)) return file
  }
  return undefined
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK)
    return true
  } catch {
    // Not there, or not ours to run.
    return false
  }
}
