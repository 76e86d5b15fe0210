// Checks of the machine: Node, git, and that the embedded store can be written.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { descriptorLimit, fewDescriptors } from '../../api/descriptors.ts'
import type { Finding } from './check.ts'
import { fail, ok, warn } from './check.ts'

const run = promisify(execFile)

export async function checkMachine(): Promise<Finding[]> {
  return [
    ok('Node.js', `${process.versions.node}, ${process.platform} ${process.arch}`),
    await checkGit(),
    checkSqlite(),
    ...checkDescriptors(),
  ]
}

async function checkGit(): Promise<Finding> {
  try {
    const { stdout } = await run('git', ['--version'])
    return ok('git', stdout.trim())
  } catch {
    return warn(
      'git',
      'it is not installed; bringing source trees to hosts will need it',
      "apt-get install git, or your system's way",
    )
  }
}

function checkSqlite(): Finding {
  try {
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
    const database = new DatabaseSync(':memory:')
    const row = database.prepare('select sqlite_version() as version').get()
    database.close()
    return ok('SQLite', `${String(row?.version)}, built into Node.js`)
  } catch (error) {
    return fail('SQLite', `it does not work: ${(error as Error).message}`, 'Install Node.js 24 from https://nodejs.org/.')
  }
}

function checkDescriptors(): Finding[] {
  const limit = descriptorLimit()
  if (limit === undefined) return []
  const says = `${limit} files and connections may be open at once`
  return [
    limit < fewDescriptors
      ? warn('open files', says, 'ulimit -n 65536, before a hub or node is started')
      : ok('open files', says),
  ]
}
