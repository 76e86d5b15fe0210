// Files of a host: what is there, its bytes, and new files put there. Every operation names a path inside the directories that the host
// exposes; reading them is the command `file.read` to its policy, writing them `file.write`. How a whole copy goes by them: src/transfer.

import { z } from 'zod'
import { ArtifactGlob } from './artifact.ts'
import type { ErrorCode } from './errors.ts'
import { Flag, listOf } from './names.ts'
import { operation } from './operation.ts'

const mebi = 1024 ** 2

export const fileLimits = {
  pathBytes: 4096,
  /** What of a file is on its way at once at most, in the window of a stream and in the buffers of systems: what a break may cost. */
  chunkBytes: 8 * mebi,
  /** A file up to this size goes with others in one request. */
  smallBytes: 512 * 1024,
  /** Files of one such request. */
  severalFiles: 256,
  severalBytes: 4 * mebi,
  /** What is written at once: such files, or directories. */
  severalRecords: 1000,
} as const

/** A name may be anything that the system takes, and that can be said in Unicode. */
const text = z
  .string()
  .max(fileLimits.pathBytes)
  .refine((path) => !path.includes('\0'), 'it holds a NUL byte')
  .refine((path) => path.isWellFormed(), 'it is no Unicode text: it holds half a character')

export const FilePath = text.meta({
  description:
    'A path on the host, absolute, or relative to the first of its exposed directories; empty for that directory itself. `..` and links on the way are refused.',
})

/** Below a directory: `a/b`. */
const FileName = text
  .min(1)
  .refine((name) => !name.split('/').some((part) => part === '' || part === '.' || part === '..'), 'it is no plain relative path')

const permit = {
  permit: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'it is no permit')
    .optional()
    .meta({ description: 'Where the policy has a person asked: what `file.ask` has answered.' }),
}

const FileVersion = z
  .string()
  .max(128)
  .meta({ description: 'Device, inode, size and time of change of a file: another version is another file.' })

export const FileKind = z.enum(['file', 'directory', 'link', 'other'])
export type FileKind = z.output<typeof FileKind>

const Mode = z.int().min(0).max(0o777).meta({ description: 'Its permission bits.' })
const Bytes = z.int().nonnegative()
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256')
const ModifiedAt = z.iso.datetime().meta({ description: 'To the microsecond: 2026-01-31T12:00:00.123456Z.' })

const Entry = z.object({
  kind: FileKind,
  bytes: Bytes,
  mode: Mode,
  modifiedAt: ModifiedAt,
  version: FileVersion,
})

export const FoundFile = Entry.extend({
  path: z.string().meta({ description: 'Absolute.' }),
})
export type FoundFile = z.output<typeof FoundFile>

const refusals = ['policy.denied', 'policy.asks', 'policy.unreadable', 'host.untrusted', 'file.outside'] as const
const reading: readonly ErrorCode[] = [...refusals, 'file.unreadable']
const writing: readonly ErrorCode[] = [...refusals, 'file.unreadable', 'file.unwritable']

export const lookAtFile = operation({
  kind: 'call',
  name: 'file.look',
  summary: 'What is at a path, if anything. A link is told as a link.',
  input: z.strictObject({
    path: FilePath,
    for: z.enum(['read', 'write']).default('read').meta({
      description: 'What is meant to be done there, and has to be allowed: a target is looked at before it is written.',
    }),
    ...permit,
  }),
  output: z.object({
    path: z.string().meta({ description: 'The same path, absolute.' }),
    found: FoundFile.nullable(),
  }),
  errors: reading,
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'GET /file',
})

/** `name` is where it lies below the path that was asked about; empty for that itself, when it is no directory. */
export const WalkedFile = Entry.extend({
  n: z.int().positive(),
  name: z.string(),
  problem: z.string().optional().meta({ description: 'Why it cannot be read, for people; without a full stop.' }),
})
export type WalkedFile = z.output<typeof WalkedFile>

export const walkFiles = operation({
  kind: 'items',
  name: 'file.walk',
  summary:
    'Everything below a directory, each directory before what is in it; or what a glob matches. Links are told and not followed.',
  input: z.strictObject({
    path: FilePath,
    glob: ArtifactGlob.optional().meta({
      description: 'Only what matches below the path, such as `*.log` or `**/*.log`; of a directory itself, not what is in it.',
    }),
    for: z.enum(['read', 'write']).default('read'),
    after: z.coerce.number().int().nonnegative().default(0),
    ...permit,
  }),
  output: WalkedFile,
  errors: reading,
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'GET /file/walk',
  numberedBy: 'n',
})

export const askForFiles = operation({
  kind: 'call',
  name: 'file.ask',
  summary:
    'Where the policy has a person asked: asks, waits for the answer, and answers with a permit for a path and all below it, to be given with each request of the copy.',
  input: z.strictObject({
    path: FilePath,
    for: z.enum(['read', 'write']),
    reason: z.string().max(1_000).optional().meta({ description: 'Why, for the person who is asked.' }),
    asker: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: 'Who asks, set by the hub that lets him in; whatever he says himself is not heard.' }),
  }),
  output: z.object({
    path: z.string().meta({ description: 'The same path, absolute.' }),
    permit: z
      .string()
      .nullable()
      .meta({ description: 'Good until an hour has passed without its use; null where nobody has to be asked.' }),
  }),
  reports: z.unknown().meta({ description: '`{approval, expiresAt}` of the question that was put.' }),
  errors: [
    'policy.denied',
    'policy.unreadable',
    'host.untrusted',
    'file.outside',
    'approval.denied',
    'approval.timeout',
    'approval.unavailable',
    'approval.too_large',
    'approval.too_many',
    'approval.too_often',
  ],
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'POST /file/ask',
})

export const getFile = operation({
  kind: 'bytes',
  name: 'file.get',
  summary: "A file's bytes from an offset on, as long as it is the version that was looked at.",
  input: z.strictObject({
    path: FilePath,
    version: FileVersion,
    offset: z.coerce.number().int().nonnegative().default(0),
    limit: z.coerce.number().int().positive().optional().meta({ description: 'At most this many bytes.' }),
    counted: Flag.default(false).meta({ description: '`file.digest` will be asked: the SHA-256 is counted on the way.' }),
    ...permit,
  }),
  output: z.unknown(),
  errors: [...reading, 'file.changed'],
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'GET /file/bytes',
  bulk: true,
  audited: true,
})

export const digestFile = operation({
  kind: 'call',
  name: 'file.digest',
  summary: "A file's SHA-256, as this host has counted it: on the way while it was read, else by reading it now.",
  input: z.strictObject({ path: FilePath, version: FileVersion, ...permit }),
  output: z.object({ bytes: Bytes, sha256: Sha256 }),
  errors: [...reading, 'file.changed'],
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'GET /file/digest',
})

export const gatherFiles = operation({
  kind: 'bytes',
  name: 'file.gather',
  summary: 'Several small files at once, as records of a head and its bytes (docs/protocol.md, "File records").',
  input: z.strictObject({
    path: FilePath.meta({ description: 'The directory that they lie below.' }),
    names: listOf(FileName).refine(
      (names) => names.length <= fileLimits.severalFiles,
      `more than ${fileLimits.severalFiles} files`,
    ),
    ...permit,
  }),
  output: z.unknown(),
  errors: reading,
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'GET /file/several',
  bulk: true,
  audited: true,
})

const TransferId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, 'a transfer id is 32 hexadecimal digits')
  .meta({ description: 'Of one source at one target. What a broken transfer left is gone on with by the same id.' })

const staged = { path: FilePath, transfer: TransferId, ...permit }

export const stagedFile = operation({
  kind: 'call',
  name: 'file.staged',
  summary: 'How many bytes of a transfer have come to lie beside its target. What another source has left for it is removed.',
  input: z.strictObject(staged),
  output: z.object({ bytes: Bytes }),
  errors: writing,
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'POST /file/staged',
  audited: false,
})

export const putFile = operation({
  kind: 'upload',
  name: 'file.put',
  summary: 'Writes on at an offset of a transfer, up to which it must have come. Zeros become holes.',
  input: z.strictObject({ ...staged, offset: z.coerce.number().int().nonnegative() }),
  output: z.object({ bytes: Bytes }),
  errors: [...writing, 'file.gap'],
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'POST /file/staged/bytes',
  bulk: true,
  audited: false,
})

/** What takes the place of what is there. */
const Replacing = z
  .enum(['nothing', 'files'])
  .default('files')
  .meta({ description: 'Whether a file that is there is replaced. A directory or a link never is.' })

export const keepFile = operation({
  kind: 'call',
  name: 'file.keep',
  summary:
    'Puts a transfer in its place, whole and flushed to disk, if its SHA-256 as this host has counted it is the one given.',
  input: z.strictObject({
    ...staged,
    bytes: Bytes,
    sha256: Sha256,
    mode: Mode,
    modifiedAt: ModifiedAt,
    replace: Replacing,
    expect: FileVersion.nullable()
      .optional()
      .meta({ description: 'The version that was there when it was looked at, null for none: another one is not replaced.' }),
  }),
  output: z.object({ bytes: Bytes, sha256: Sha256, version: FileVersion }),
  errors: [...writing, 'file.gap', 'file.damaged', 'file.changed', 'file.exists'],
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'POST /file/keep',
})

export const dropFile = operation({
  kind: 'call',
  name: 'file.drop',
  summary: 'Removes what has come of a transfer that nobody will go on with.',
  input: z.strictObject(staged),
  output: z.object({ dropped: z.boolean() }),
  errors: writing,
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'POST /file/drop',
})

/** The head of a record of `file.gather` and `file.scatter`. A directory has no bytes; it is made, or given its mode and time. */
export const FileRecord = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('file'),
    name: FileName,
    bytes: z.int().nonnegative().max(fileLimits.smallBytes),
    mode: Mode,
    modifiedAt: ModifiedAt,
    sha256: Sha256,
  }),
  z.object({
    kind: z.literal('directory'),
    name: z.union([FileName, z.literal('')]),
    mode: Mode,
    modifiedAt: ModifiedAt.optional().meta({ description: 'Given last, once everything is in it.' }),
  }),
  z.object({ kind: z.literal('problem'), name: FileName, code: z.string(), problem: z.string() }),
])
export type FileRecord = z.output<typeof FileRecord>

const ScatterOutcome = z.object({
  name: z.string(),
  sha256: Sha256.optional().meta({ description: 'As this host has counted it; absent for a directory and for what failed.' }),
  code: z.string().optional().meta({ description: 'Why it is not there: see docs/errors.md.' }),
  problem: z.string().optional(),
})
export type ScatterOutcome = z.output<typeof ScatterOutcome>

export const scatterFiles = operation({
  kind: 'upload',
  name: 'file.scatter',
  summary:
    'Writes several small files and directories below a directory, each file whole and flushed to disk. One that fails stops no other.',
  input: z.strictObject({ path: FilePath, replace: Replacing, ...permit }),
  output: z.object({ results: z.array(ScatterOutcome) }),
  errors: [...writing, 'file.record'],
  scope: 'operate',
  deferrable: true,
  repeatable: true,
  http: 'POST /file/several',
  bulk: true,
})
