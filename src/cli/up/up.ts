// `muster up`: a hub in this process, a second host beside it over a real tunnel, an example running on both, then serving until Ctrl-C.

import { failure } from '../../contract/errors.ts'
import { listHosts } from '../../contract/host.ts'
import { closeDeadlineMs, closeWithin } from '../close-within.ts'
import { openHome } from '../home.ts'
import { refuseOpenBind } from '../hub/settings.ts'
import { connect } from '../hub-connection.ts'
import { findHub, type HubRecord } from '../hub-record.ts'
import { openFileLog } from '../log.ts'
import { type Bind, defaultBind } from '../options.ts'
import type { Action } from '../perform.ts'
import { tell } from '../report.ts'
import { serveHub } from '../serve-hub.ts'
import { stopRequested } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'
import { sayWhatGoesOn } from './goes-on.ts'
import { nextSteps } from './next-steps.ts'
import { joinSecond, secondName } from './second.ts'
import { runSurvey } from './survey.ts'

interface UpOptions {
  readonly bind?: Bind
  readonly work: boolean
}

export const up: Action<UpOptions, []> = async (terminal, options) => {
  const { bind = defaultBind } = options
  refuseOpenBind(bind)
  const home = await openHome(terminal.env)
  const running = await findHub(home)
  if (running) return { json: { started: false, ...running }, text: await describeRunning(terminal, running) }
  const log = openFileLog(home.hubLog, terminal.env)
  const stopping = stopRequested({ hangup: true })
  const opened = new AsyncDisposableStack()
  try {
    const { record } = opened.use(await serveHub(home, { bind, allowHosts: [] }, log))
    const url = record.urls[0] ?? record.socket
    terminal.say(`The hub is ready at ${url}, with this machine as its host local.`)
    const client = opened.use(connectOwn(terminal))
    const second = opened.use(await joinSecond({ home, client, hubUrl: url.replace(/^http/, 'ws'), env: terminal.env, stopping }))
    if (second) {
      terminal.say(`A second host, ${secondName}, has joined it through a tunnel: a process of its own (pid ${second.pid}).`)
      if (options.work) await runSurvey({ terminal, client, options, stopping })
      if (!options.json)
        terminal.say(`\nThe hub serves at ${url} until Ctrl-C. Try, in another terminal:\n${nextSteps(terminal, true)}`)
    }
    await stopping
    await sayWhatGoesOn(terminal, client)
  } finally {
    if (!(await closeWithin(opened)))
      tell(terminal, failure('hub.stuck', { pid: process.pid, doing: 'stop', ms: closeDeadlineMs }))
  }
  return { json: { started: true, stopped: true } }
}

async function describeRunning(terminal: Terminal, { urls, socket, pid }: HubRecord): Promise<string> {
  using client = connectOwn(terminal)
  const { hosts } = await client.hub.call(listHosts, {})
  const hasSecond = hosts.some(({ name, status }) => name === secondName && status === 'online')
  return `It is up already: the hub is at ${urls[0] ?? socket} (pid ${pid}). Try:\n${nextSteps(terminal, hasSecond)}`
}

/** The hub of this home, whatever MUSTER_HUB says of another. */
function connectOwn({ env }: Terminal): ReturnType<typeof connect> {
  return connect({ env: { ...env, MUSTER_HUB: undefined } })
}
