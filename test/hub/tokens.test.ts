// Another token for a host: what of the former one still counts, and for which hosts there is none.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { failure } from '../../src/contract/errors.ts'
import { addHost, enrollNode, listHosts, replaceHostToken } from '../../src/contract/host.ts'
import { getRun } from '../../src/contract/run.ts'
import { until } from '../resources/muster.ts'
import { openOtherHub } from '../resources/other-hub.ts'
import { openTestHub, type TestHub } from './hub-fixture.ts'

async function tokenFor(hub: TestHub, host: string): Promise<string> {
  const { joining } = await hub.caller.call(replaceHostToken, { host })
  return joining?.token as string
}

async function statusOf(hub: TestHub, name: string): Promise<string | undefined> {
  const { hosts } = await hub.caller.call(listHosts, {})
  return hosts.find((host) => host.name === name)?.status
}

test('of a host that dials in, neither the former token nor its key counts until it has shown the new one; its runs stay its own', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  const run = await hub.submit({ kind: 'command', argv: ['sh', '-c', 'read line'], stdin: 'open' }, { host: 'box' })
  const first = await tokenFor(hub, 'box')
  expect(await statusOf(hub, 'box')).toBe('offline')
  await expect(node.dial()).rejects.toMatchObject({ code: 'node.token_replaced' })
  const second = await tokenFor(hub, 'box')
  await expect(node.dial(first)).rejects.toMatchObject({ code: 'enroll.token_invalid' })
  await expect(node.dial()).rejects.toMatchObject({ code: 'node.token_replaced' })
  await node.dial(second)
  const box = await hub.host('box')
  await until('it is asked again', async () => {
    const { state, unreachableSince } = await box.call(getRun, { run: run.id })
    return state === 'running' && unreachableSince === null ? true : undefined
  })
  await node.cut()
  await node.dial()
  expect(await statusOf(hub, 'box')).toBe('online')
})

test('a node that is being let in while its token is replaced does not stay', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  for (let round = 0; round < 40; round++) {
    // With its key alone, at about the same moment.
    const dialling = node.dial().catch((error) => error)
    for (let turn = 0; turn < round; turn++) await undefined
    const token = await tokenFor(hub, 'box')
    await dialling
    expect(await statusOf(hub, 'box'), `round ${round}`).toBe('offline')
    await node.dial(token)
    expect(await statusOf(hub, 'box'), `round ${round}`).toBe('online')
  }
})

test('one that has never joined gets another token, and joins with that alone', async () => {
  await using hub = await openTestHub()
  const { host, token: former } = await hub.caller.call(enrollNode, { name: 'box' })
  const { joining } = await hub.caller.call(replaceHostToken, { host: 'box', hubUrl: 'wss://hub.example' })
  expect(joining?.token).not.toBe(former)
  expect(joining?.commandStdin).toBe(`muster node --hub wss://hub.example --node-id ${host} --allow runs --token-stdin`)
  expect(await statusOf(hub, 'box')).toBe('never_seen')
})

test('of a host that is shown one, the new one takes its place, and the host is asked with it', async () => {
  await using hub = await openTestHub()
  await using other = await openOtherHub()
  const connector = { kind: 'http', url: other.url }
  const { host } = await hub.caller.call(addHost, { name: 'prod', connector, secret: 'not-the-one' })
  expect(host.probe).toMatchObject({ answered: false, problem: expect.stringContaining('muster host token prod') })
  const mended = await hub.caller.call(replaceHostToken, { host: 'prod', secret: other.token })
  expect(mended).toMatchObject({ joining: null, host: { status: 'online', secret: 'file', probe: { answered: true } } })
  expect(await readFile(join(hub.home.path, 'hub', 'secrets', `${host.id}.secret`), 'utf8')).toBe(other.token)
  const spoilt = await hub.caller.call(replaceHostToken, { host: 'prod', secret: 'not-the-one' })
  expect(spoilt.host).toMatchObject({
    status: 'offline',
    probe: { answered: false, problem: expect.stringMatching(/^unauthorised/) },
  })
  const unasked = await hub.caller.call(replaceHostToken, { host: 'prod', secret: other.token, probe: false })
  expect(unasked.host.probe).toBeNull()
  await until('it is there by itself', async () => ((await statusOf(hub, 'prod')) === 'online' ? true : undefined))
})

test('what does not fit the host is refused with a code of its own, and changes nothing', async () => {
  await using hub = await openTestHub()
  await hub.caller.call(enrollNode, { name: 'box' })
  await hub.caller.call(addHost, {
    name: 'prod',
    connector: { kind: 'http', url: 'http://127.0.0.1:1' },
    secret: 's',
    probe: false,
  })
  await hub.caller.call(addHost, { name: 'deploy', connector: { kind: 'ssh', destination: 'nobody@127.0.0.1' }, probe: false })
  const bucket = `file://${hub.home.path}/bucket`
  await hub.caller.call(addHost, { name: 'far', connector: { kind: 'bucket', bucket }, probe: false })
  const refused = async (input: Parameters<typeof hub.caller.call<typeof replaceHostToken>>[1]) =>
    expect(hub.caller.call(replaceHostToken, input)).rejects
  for (const host of ['local', 'deploy', 'far']) {
    await (await refused({ host })).toMatchObject({ code: 'host.no_token' })
    await (await refused({ host, secret: 's' })).toMatchObject({ code: 'host.no_token' })
  }
  await (await refused({ host: 'box', secret: 's' })).toMatchObject({ code: 'host.token_minted' })
  await (await refused({ host: 'prod' })).toMatchObject({ code: 'host.token_wanted' })
  await (await refused({ host: 'prod', secret: 's', hubUrl: 'wss://hub.example' })).toMatchObject({ code: 'input.invalid' })
  await (await refused({ host: 'nobody' })).toMatchObject({ code: 'host.unknown' })
  expect(failure('host.no_token', { host: 'far', way: bucket }).exit).toBe(3)
})
