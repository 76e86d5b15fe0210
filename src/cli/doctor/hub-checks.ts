// Checks of the hub that this command line would speak to: running, reachable, of the same version; and whether its port is free if not.

import { createServer } from 'node:net'
import { asMusterError } from '../../contract/errors.ts'
import { getHubInfo } from '../../contract/fleet.ts'
import { listHosts } from '../../contract/host.ts'
import { softwareVersion } from '../../wire/protocol.ts'
import { homeAt } from '../home.ts'
import { connect } from '../hub-connection.ts'
import { findHub } from '../hub-record.ts'
import { defaultBind } from '../options.ts'
import type { Terminal } from '../terminal.ts'
import { type Finding, fail, ok, warn } from './check.ts'

const deadlineMs = 5_000

export async function checkHub(terminal: Terminal): Promise<Finding[]> {
  const elsewhere = terminal.env.MUSTER_HUB
  const running = await findHub(homeAt(terminal.env))
  if (!elsewhere && !running) {
    return [warn('hub', 'none is running on this home', 'muster up, or muster hub start'), await checkPort()]
  }
  return await checkAnswers(terminal)
}

async function checkAnswers(terminal: Terminal): Promise<Finding[]> {
  try {
    using client = connect(terminal)
    const info = await client.hub.call(getHubInfo, {}, { timeoutMs: deadlineMs })
    const { hosts, corrupt } = await client.hub.call(listHosts, {}, { timeoutMs: deadlineMs })
    const away = hosts.filter(({ status }) => status !== 'online')
    return [
      ok('hub', `it answers at ${info.urls[0] ?? 'its socket'} (pid ${info.pid}, ${info.store})`),
      info.version === softwareVersion
        ? ok('version', `the hub and this command line are both ${softwareVersion}`)
        : warn(
            'version',
            `the hub is ${info.version}, this command line ${softwareVersion}`,
            'muster hub stop && muster hub start',
          ),
      away.length === 0
        ? ok('hosts', `${hosts.length} known, all online`)
        : warn('hosts', `not online: ${away.map(({ name }) => name).join(', ')}`, `muster host show ${away[0]?.name ?? ''}`),
      ...corrupt.map(({ file, problem }) => fail('host record', `${file}: ${problem}`, `Mend or delete ${file}.`)),
    ]
  } catch (thrown) {
    const error = asMusterError(thrown)
    return [fail('hub', error.message, error.hint)]
  }
}

function checkPort(): Promise<Finding> {
  const { host, port } = defaultBind
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) =>
      resolve(warn('port', `${host}:${port} cannot be used: ${error.code ?? error.message}`, 'muster up --bind 127.0.0.1:0')),
    )
    probe.listen(port, host, () => probe.close(() => resolve(ok('port', `${host}:${port} is free`))))
  })
}
