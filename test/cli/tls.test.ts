// A hub that ends TLS itself, as a process, and the lines that it prints for other machines.

import { X509Certificate } from 'node:crypto'
import { rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { expect, it, onTestFinished } from 'vitest'
import { makeAuthority } from '../resources/certificates.ts'
import { makeHome } from '../resources/home.ts'
import { muster, musterJson, start, until, untilOnline } from '../resources/muster.ts'

async function home(): Promise<string> {
  const made = await makeHome()
  onTestFinished(() => made[Symbol.asyncDispose]())
  return made.path
}

/** `muster hub start` with these options, until the test has ended. */
async function startHub(...options: string[]): Promise<{ home: string; url: string; pin: string | null }> {
  const at = await home()
  const { urls, pin } = await musterJson<{ urls: [string]; pin: string | null }>(at, [
    'hub',
    'start',
    '--bind',
    '127.0.0.1:0',
    ...options,
  ])
  onTestFinished(async () => void (await muster(at, ['hub', 'stop'])))
  return { home: at, url: urls[0], pin }
}

it("the one line that enrolment prints joins a new machine; another machine's command line is told by what to trust it", async () => {
  const hub = await startHub('--tls')
  expect(hub.url).toMatch(/^https:/)
  const { command } = await musterJson<{ command: string }>(hub.home, ['node', 'enroll', 'box'])
  expect(command).toContain(` --pin ${hub.pin} `)
  const [, token = '', args = ''] = /^echo (\S+) \| muster (.*)$/.exec(command) ?? []
  const machine = await home()
  const node = start(machine, args.split(' '), {}, token)
  onTestFinished(() => node.kill())
  await untilOnline({ home: hub.home } as never, 'box', node)
  expect((await muster(hub.home, ['exec', 'box', '--', 'echo', 'through TLS'])).stdout).toBe('through TLS\n')
  const files = join(machine, 'node', 'certificates')
  const [, hubKey] = /mnode_host_[^_]+_([^_]+)_/.exec(token) ?? []
  const kept = join(files, `${hubKey}.json`)
  await until('it keeps a certificate', async () => ((await stat(kept).catch(() => undefined)) ? true : undefined), node)
  expect([(await stat(files)).mode & 0o777, (await stat(kept)).mode & 0o777]).toEqual([0o700, 0o600])

  const { stdout: token2 } = await muster(hub.home, ['token', 'create', 'elsewhere', '--role', 'viewer'])
  const env = { MUSTER_HUB: hub.url, MUSTER_TOKEN: token2.trim() }
  const stranger = await muster(await home(), ['host', 'list'], { env })
  expect(stranger).toMatchObject({ code: 3, stderr: expect.stringContaining('nothing was sent') })
  const told = await muster(await home(), ['host', 'list'], { env: { ...env, MUSTER_HUB_PIN: hub.pin as string } })
  expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining('box') })
  const wrong = await muster(await home(), ['host', 'list'], { env: { ...env, MUSTER_HUB_PIN: 'sha256//x' } })
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('MUSTER_HUB_PIN') })
})

it('`hub ca` prints the root for a file, and by what to know it beside; `hub ca rotate` makes another', async () => {
  const hub = await startHub('--tls')
  const first = await muster(hub.home, ['hub', 'ca'])
  const { fingerprint256 } = new X509Certificate(first.stdout)
  expect(first.stderr).toContain(fingerprint256)
  expect(first.stderr).toContain(`--pin ${hub.pin}`)
  const keyFile = await stat(join(hub.home, 'hub', 'authority', '1.pem'))
  expect(keyFile.mode & 0o777).toBe(0o600)
  const rotated = await musterJson<{ certificate: string; pin: string; former: unknown[] }>(hub.home, ['hub', 'ca', 'rotate'])
  expect(rotated.pin).not.toBe(hub.pin)
  // No host has a certificate of the former one.
  expect(rotated.former).toEqual([])
  for (const ca of [first.stdout, rotated.certificate]) expect(await authorized(hub.url, ca)).toBe(true)
  const plain = await startHub()
  expect(await muster(plain.home, ['hub', 'ca'])).toMatchObject({ code: 4, stderr: expect.stringContaining('hub serve --tls') })
})

async function authorized(url: string, ca: string): Promise<boolean> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', ca })
  try {
    return await new Promise((resolve) =>
      socket.once('secureConnect', () => resolve(socket.authorized)).once('error', () => resolve(false)),
    )
  } finally {
    socket.destroy()
  }
}

it('a certificate from files is presented, and another once it lies there', async () => {
  await using authority = await makeAuthority()
  const dir = await home()
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  const put = async (file: string, text: string) => {
    await writeFile(`${file}.new`, text, { mode: 0o600 })
    await rename(`${file}.new`, file)
  }
  const first = await authority.issue('IP:127.0.0.1')
  await put(certFile, first.cert)
  await put(keyFile, first.key)
  const hub = await startHub('--tls-cert', certFile, '--tls-key', keyFile)
  expect(await presents(hub.url)).toBe(new X509Certificate(first.cert).fingerprint256)
  const second = await authority.issue('IP:127.0.0.1')
  await put(certFile, second.cert)
  await put(keyFile, second.key)
  const { fingerprint256 } = new X509Certificate(second.cert)
  await until('the other is presented', async () => ((await presents(hub.url)) === fingerprint256 ? true : undefined))

  const bad = await muster(await home(), [
    'hub',
    'serve',
    '--bind',
    '127.0.0.1:0',
    '--no-open',
    '--tls-cert',
    certFile,
    '--tls-key',
    certFile,
  ])
  expect(bad).toMatchObject({ code: 8, stderr: expect.stringContaining('it holds no private key') })
  const half = await muster(await home(), ['hub', 'serve', '--no-open', '--tls-cert', certFile])
  expect(half).toMatchObject({ code: 2, stderr: expect.stringContaining('--tls-cert and --tls-key go together') })
})

async function presents(url: string): Promise<string | undefined> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false })
  try {
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    return socket.getPeerX509Certificate()?.fingerprint256
  } finally {
    socket.destroy()
  }
}
