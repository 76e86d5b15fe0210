// What it costs to ask a host that is reached by ssh, at the hub's HTTP API, beside a command over an open ssh connection.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addHost, getHostInfo } from '../../src/contract/host.ts'
import { makeHome } from '../../test/resources/muster.ts'
import { oneByOne } from '../asking.ts'
import type { Figure, Row } from '../figure.ts'
import { inTurns, medianOf, percentile } from '../measure.ts'
import { endOf, startMuster } from '../muster.ts'
import { type Ssh, sshName, startSsh } from '../peers/ssh.ts'

const bin = fileURLToPath(new URL('../../bin/muster.js', import.meta.url))

export const figure: Figure = {
  name: 'ssh-calls',
  title: 'A host reached by ssh: second and later calls, asked over HTTP at the hub',
  async measure({ rounds, quick, say }): Promise<Row[]> {
    await using ssh = await startSsh()
    if (!ssh) return [{ what: `beside ${sshName}`, skipped: 'OpenSSH is not installed' }]
    await using muster = await startMuster()
    await using far = await makeHome()
    await muster.client.hub.call(addHost, {
      name: 'box',
      connector: {
        kind: 'ssh',
        destination: ssh.host,
        configFile: await configuration(ssh, muster.home.path),
        remoteCommand: `MUSTER_HOME=${far.path} ${process.execPath} ${bin}`,
      },
    })
    await muster.warm('box')
    const box = muster.client.host('box')
    const times = quick ? 20 : 100
    const p50 = async (ask: () => Promise<unknown>) => percentile(await oneByOne(ask, times), 50) / 1000
    const measured = await inTurns(
      rounds,
      {
        info: () => p50(() => box.call(getHostInfo, {})),
        run: () => p50(async () => endOf(box, (await muster.submit('box', ['true'])).id)),
        ssh: () => p50(() => ssh.run('true')),
      },
      { warmUps: 1 },
    )
    const theirs = medianOf(measured.ssh, 'ms')
    const ours = { info: medianOf(measured.info, 'ms'), run: medianOf(measured.run, 'ms') }
    say(`host.info ${ours.info.median.toFixed(2)} ms, a run ${ours.run.median.toFixed(1)} ms, ssh ${theirs.median.toFixed(1)} ms`)
    const peer = { name: `${sshName} \`ssh host true\``, ...theirs }
    return [
      {
        what: 'a question (`host.info`), p50',
        ours: ours.info,
        peer,
        goal: { words: 'ahead of ssh', met: ours.info.median < theirs.median },
      },
      {
        what: '`true` to its end, p50',
        ours: ours.run,
        peer,
        goal: { words: 'ahead of ssh', met: ours.run.median < theirs.median },
        note: 'Muster records the run durably on hub and host; ssh is a new client process for each command, as it is used',
      },
    ]
  },
}

/** The peer's own options as a file: both go to the same server with the same keys. */
async function configuration({ options }: Ssh, dir: string): Promise<string> {
  const file = join(dir, 'ssh_config')
  const settings = options.filter((option) => option.includes('=') && !option.startsWith('ControlPath='))
  await writeFile(file, ['Host *', ...settings.map((setting) => `  ${setting.replace('=', ' ')}`), ''].join('\n'), {
    mode: 0o600,
  })
  return file
}
