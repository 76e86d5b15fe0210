// `muster hub serve`: a hub in the foreground.

import { failure } from '../../contract/errors.ts'
import { closeDeadlineMs, closeWithin } from '../close-within.ts'
import { openHome } from '../home.ts'
import { openLog } from '../log.ts'
import { hasDesktop, openBrowser } from '../open-browser.ts'
import type { Action } from '../perform.ts'
import { asJson } from '../report.ts'
import { serveHub } from '../serve-hub.ts'
import { stopRequested } from '../stop-signal.ts'
import { readSettings, type ServeOptions } from './settings.ts'

interface ForegroundOptions extends ServeOptions {
  /** False with --no-open. */
  readonly open: boolean
}

export const serve: Action<ForegroundOptions, []> = async (terminal, options) => {
  const home = await openHome(terminal.env)
  const settings = await readSettings(terminal, options)
  const log = openLog(terminal.env)
  const stopping = stopRequested()
  const hub = await serveHub(home, settings, log)
  // Before the end, for whoever started this process and waits for its address.
  if (options.json) await terminal.out(asJson(hub.record))
  else terminal.say(`The hub is ready at ${hub.record.urls.join(', ')} (Ctrl-C stops it; runs go on).`)
  if (hub.record.pin !== null) terminal.say(`Others can trust it by --pin ${hub.record.pin} (MUSTER_HUB_PIN for a command line).`)
  const [page] = hub.record.urls
  if (options.open && page && hasDesktop(terminal)) openBrowser(terminal, page)
  log.info({ signal: await stopping }, 'the hub stops')
  if (!(await closeWithin(hub)))
    throw failure('hub.stuck', { pid: process.pid, doing: 'close what was open', ms: closeDeadlineMs })
  return { json: { stopped: true, pid: process.pid }, shown: true }
}
