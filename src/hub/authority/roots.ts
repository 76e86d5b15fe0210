// The roots of the hub's authority on disk: `hub/authority/1.pem`, `2.pem`, …, the highest being the one that signs. A file holds the
// root's key, its certificate, and from the second on the same root once more as the one before it vouches for it. The key of one that
// signs no more is taken out of its file.

import { X509Certificate } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../../contract/errors.ts'
import { makeRoot, pinOf, type Span, vouchFor } from './x509.ts'

export interface Root {
  readonly number: number
  /** PEM, signed by itself. */
  readonly certificate: string
  /** PEM: the same name and key, signed by the root before it. */
  readonly vouched: string | undefined
  readonly fingerprint: string
  readonly pin: string
  readonly notAfter: Date
}

/** The one that signs. */
export interface SigningRoot extends Root {
  readonly key: string
}

export interface Roots {
  readonly current: SigningRoot
  /** Newest first. */
  readonly former: readonly Root[]
}

const tenYearsMs = 3652 * 24 * 3600 * 1000
/** Clocks of others may be behind. */
const backdatedMs = 24 * 3600 * 1000

/** Reads them, and makes the first where there is none; `hub` is in their names. Throws `home.unusable` for a file that is damaged or that others may read. */
export async function openRoots(dir: string, hub: string, now: Date): Promise<Roots> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const numbers = (await readdir(dir)).flatMap((name) => (/^\d+\.pem$/.test(name) ? [Number.parseInt(name, 10)] : []))
  numbers.sort((a, b) => b - a)
  if (numbers.length === 0) return { current: await addRoot(dir, { hub, number: 1 }, undefined, now), former: [] }
  const [newest, ...older] = await Promise.all(numbers.map((number) => readRoot(dir, number)))
  const key = newest?.key
  if (!newest || key === undefined) throw damaged(fileOf(dir, numbers[0] as number))
  // A hub that was killed while it rotated has left one.
  for (const root of older) if (root.key !== undefined) await dropKey(dir, root)
  return { current: { ...newest, key }, former: older }
}

/** Another root, for which the current one vouches. Durable when it resolves. */
export async function rotateRoots(dir: string, hub: string, { current, former }: Roots, now: Date): Promise<Roots> {
  const next = await addRoot(dir, { hub, number: current.number + 1 }, current, now)
  await dropKey(dir, current)
  return { current: next, former: [current, ...former] }
}

async function addRoot(
  dir: string,
  { hub, number }: { hub: string; number: number },
  before: SigningRoot | undefined,
  now: Date,
): Promise<SigningRoot> {
  const span: Span = { from: new Date(now.getTime() - backdatedMs), to: new Date(now.getTime() + tenYearsMs) }
  const { key, certificate } = await makeRoot(`Muster hub ${hub.slice(0, 8)}, authority ${number}`, span)
  const vouched = before && (await vouchFor(certificate, before, { from: span.from, to: before.notAfter }))
  await writeWhole(fileOf(dir, number), [key, certificate, vouched ?? ''].join(''))
  return { ...describe(number, certificate, vouched), key }
}

async function dropKey(dir: string, { number, certificate, vouched }: Root): Promise<void> {
  await writeWhole(fileOf(dir, number), [certificate, vouched ?? ''].join(''))
}

async function readRoot(dir: string, number: number): Promise<Root & { readonly key: string | undefined }> {
  const file = fileOf(dir, number)
  const { mode } = await stat(file)
  if ((mode & 0o077) !== 0)
    throw failure('home.unusable', { path: file, problem: 'other accounts may read it; set its mode to 0600' })
  const blocks = (await readFile(file, 'utf8')).match(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----\n/g) ?? []
  const key = blocks.find((block) => block.startsWith('-----BEGIN PRIVATE KEY-----'))
  const [certificate, vouched] = blocks.filter((block) => block !== key)
  if (certificate === undefined) throw damaged(file)
  try {
    return { ...describe(number, certificate, vouched), key }
  } catch (cause) {
    throw damaged(file, cause)
  }
}

function describe(number: number, certificate: string, vouched: string | undefined): Root {
  const { fingerprint256, validTo } = new X509Certificate(certificate)
  return { number, certificate, vouched, fingerprint: fingerprint256, pin: pinOf(certificate), notAfter: new Date(validTo) }
}

function damaged(file: string, cause?: unknown) {
  return failure('home.unusable', { path: file, problem: 'it does not hold the authority that it should' }, { cause })
}

function fileOf(dir: string, number: number): string {
  return join(dir, `${number}.pem`)
}

async function writeWhole(file: string, text: string): Promise<void> {
  const fresh = `${file}.new`
  await rm(fresh, { force: true })
  const handle = await open(fresh, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(fresh, file)
}
