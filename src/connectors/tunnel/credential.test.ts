import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findJoinedHub, forgetJoinedHub, listJoinedHubs, saveJoinedHub } from './credential.ts'

test('a joined hub is found by its address, past files that are no record of one', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-node-'))
  try {
    const hub = { hubUrl: 'ws://127.0.0.1:7878', hubKey: 'zzz', host: 'host_1', name: 'box', trust: { caFile: '/etc/ca.pem' } }
    await saveJoinedHub(dir, hub)
    await writeFile(join(dir, 'aaa.json'), '{ torn')
    await writeFile(join(dir, 'bbb.json'), '{}')
    expect(await findJoinedHub(dir, hub.hubUrl)).toEqual(hub)
    expect(await findJoinedHub(dir, 'ws://127.0.0.1:1')).toBeUndefined()
    const older = { hubUrl: 'ws://127.0.0.1:2', hubKey: 'yyy', host: 'host_2', name: 'box' }
    await writeFile(join(dir, 'yyy.json'), JSON.stringify(older))
    expect(await findJoinedHub(dir, older.hubUrl)).toEqual({ ...older, trust: {} })
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('of two hubs at one address, the second was set up in the place of the first', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-node-'))
  try {
    const former = { hubUrl: 'ws://127.0.0.1:7878', hubKey: 'aaa', host: 'host_1', name: 'box', trust: {} }
    const elsewhere = { ...former, hubUrl: 'ws://127.0.0.1:1', hubKey: 'bbb' }
    const present = { ...former, hubKey: 'zzz', host: 'host_2' }
    for (const hub of [former, elsewhere, present]) await saveJoinedHub(dir, hub)
    expect(await findJoinedHub(dir, former.hubUrl)).toEqual(present)
    expect(await findJoinedHub(dir, elsewhere.hubUrl)).toEqual(elsewhere)
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('a node that has joined no hub knows none', async () => {
  expect(await findJoinedHub(join(tmpdir(), 'muster-nowhere'), 'ws://127.0.0.1:7878')).toBeUndefined()
})

test('every joined hub is listed by its address, with what it was allowed, until it is forgotten', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-node-'))
  try {
    const far = { hubUrl: 'wss://z.example', hubKey: 'aaa', host: 'host_1', name: 'box', trust: {}, allow: ['runs'] }
    const near = { hubUrl: 'ws://127.0.0.1:7878', hubKey: 'bbb', host: 'host_2', name: 'box', trust: {} }
    for (const hub of [far, near]) await saveJoinedHub(dir, hub)
    await writeFile(join(dir, 'ccc.json'), '{ torn')
    expect(await listJoinedHubs(dir)).toEqual([near, far])
    await forgetJoinedHub(dir, far)
    await forgetJoinedHub(dir, far)
    expect(await listJoinedHubs(dir)).toEqual([near])
    expect(await listJoinedHubs(join(dir, 'nowhere'))).toEqual([])
  } finally {
    await rm(dir, { recursive: true })
  }
})
