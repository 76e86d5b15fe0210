// Checks of $MUSTER_HOME: that it is there, ours alone, writable, with room left, and that its records are not stale.

import { statfs } from 'node:fs/promises'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { homeAt, homeProblem } from '../home.ts'
import { findHub, readHubRecord } from '../hub-record.ts'
import { quoted } from '../self.ts'
import type { Terminal } from '../terminal.ts'
import { type Finding, fail, ok, warn } from './check.ts'

const roomWanted = 1024 ** 3
const roomNeeded = 64 * 1024 ** 2

export async function checkHome({ env }: Terminal): Promise<Finding[]> {
  const home = homeAt(env)
  const problem = await homeProblem(home.dir).catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? absent : describeFileProblem(error),
  )
  if (problem === absent) return [ok('MUSTER_HOME', `${home.dir} is not there yet; the first hub or node makes it`)]
  if (problem !== undefined)
    return [fail('MUSTER_HOME', `${home.dir}: ${problem}`, 'Mend that, or set MUSTER_HOME to a directory of your own')]
  return [ok('MUSTER_HOME', `${home.dir} is yours alone and can be written`), await checkRoom(home.dir), await checkRecord(env)]
}

const absent = 'absent'

async function checkRoom(dir: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(dir)
  const room = bavail * bsize
  const says = `${(room / 1024 ** 3).toFixed(1)} GiB are free`
  if (room >= roomWanted) return ok('disk', says)
  const mend = `Free some on that disk: du -sh ${quoted(dir)}/* shows what Muster holds.`
  return room >= roomNeeded ? warn('disk', says, mend) : fail('disk', says, mend)
}

async function checkRecord(env: NodeJS.ProcessEnv): Promise<Finding> {
  const home = homeAt(env)
  const record = await readHubRecord(home)
  if (record && !(await findHub(home))) {
    return warn(
      'hub.json',
      `the hub that it names (pid ${record.pid}) is gone without having stopped; its runs go on`,
      'muster hub start',
    )
  }
  return ok('hub.json', record ? 'it names a live hub' : 'no hub is recorded, none is expected')
}
