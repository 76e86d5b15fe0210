// `muster hub status`: whether the hub of this home runs, and where.

import { exitCode } from '../../contract/errors.ts'
import { showAgo } from '../duration.ts'
import { homeAt } from '../home.ts'
import { findHub } from '../hub-record.ts'
import type { Action } from '../perform.ts'
import { showFields } from '../table.ts'

export const status: Action<unknown, []> = async (terminal) => {
  const home = homeAt(terminal.env)
  const hub = await findHub(home)
  if (!hub)
    return { json: { running: false, home: home.dir }, text: `No hub is running on ${home.dir}.`, exit: exitCode.unavailable }
  const { pid, urls, socket, version, startedAt } = hub
  return {
    json: { running: true, home: home.dir, pid, url: urls[0] ?? null, urls, socket, version, startedAt },
    text: showFields({
      hub: urls.join(', '),
      pid: String(pid),
      since: `${startedAt} (${showAgo(startedAt)})`,
      version,
      home: home.dir,
    }),
  }
}
