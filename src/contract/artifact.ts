// Artifacts: files that a command leaves behind and that are kept with its run. What may be asked for, what is told of them, how they
// are read. A name comes from a host and may be anybody's invention: whoever writes a file by it still keeps it in its directory.

import { z } from 'zod'
import { RunId, Time } from './names.ts'
import { operation } from './operation.ts'

const gibi = 1024 ** 3

/** How much one run may keep. What is beyond is refused, and said. */
export const artifactLimits = {
  globs: 64,
  files: 1000,
  bytes: 16 * gibi,
  totalBytes: 64 * gibi,
  /** Of one name, and of all names together, so that a list of them is one frame of the wire. */
  nameChars: 1024,
  nameBytesInAll: 256 * 1024,
  /** Refusals that are told one by one. */
  refusals: 64,
} as const

const control = /[\u0000-\u001f\u007f-\u009f]/

/** A name as it may stand in a list: relative, without "..", and printable. */
export const ArtifactName = z
  .string()
  .min(1)
  .max(artifactLimits.nameChars)
  .refine((name) => !control.test(name), 'it holds a control character')
  .refine((name) => !name.split('/').some((part) => part === '' || part === '.' || part === '..'), 'it is no plain relative path')
  .meta({ description: "The file's path from the run's working directory, with `/`." })

const most = { starsInPart: 3, anyDirectories: 3, braces: 4, meanings: 256 }

/** At most so many globs does one stand for that has so many braces and commas, however they are spread. */
function meaningsOf(glob: string): number {
  const braces = Math.max(1, count(glob, '{'))
  return (count(glob, ',') / braces + 1) ** braces
}

export const ArtifactGlob = z
  .string()
  .min(1, 'it is empty')
  .max(artifactLimits.nameChars)
  .refine((glob) => !control.test(glob), 'it holds a control character')
  .refine((glob) => !/^(\{(.*,)?)?\//.test(glob), "it is an absolute path; name files from the command's working directory on")
  .refine((glob) => !glob.split(/[/{},()|]/).includes('..'), 'it leads out of the working directory by ".."')
  .refine((glob) => !glob.includes('\\'), 'it holds a backslash; put a special character into brackets, as in [*]')
  // Globs become regular expressions: with these limits none can go back and forth for long.
  .refine((glob) => !/[@!+?*]\(/.test(glob), 'it has a group such as +(a|b); use {a,b}')
  .refine((glob) => glob.split('/').every((part) => count(part, '*') <= most.starsInPart), 'a name in it has more than 3 "*"')
  .refine((glob) => count(glob, '**') <= most.anyDirectories, 'it has more than 3 "**"')
  .refine((glob) => count(glob, '{') <= most.braces, 'it has more than 4 "{"')
  .refine((glob) => !/\{[^{}]*\.\.[^{}]*\}/.test(glob), 'it has a range such as {1..9}; name them: {1,2,3}')
  .refine((glob) => meaningsOf(glob) <= most.meanings, 'its braces stand for more than 256 globs')
  .meta({
    description: "Files to keep, from the command's working directory on: `out/*.tar`, `**/*.log`. Links are not followed.",
  })

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256')

export const Artifact = z.object({
  name: ArtifactName,
  bytes: z.int().nonnegative().max(artifactLimits.bytes),
  sha256: Sha256,
  mtime: Time,
  mode: z.int().min(0).max(0o777).meta({ description: 'Its permission bits.' }),
})
export type Artifact = z.output<typeof Artifact>

/** `name` is a file that was not kept, or a glob that no file matches. */
const Refusal = z.object({
  name: z.string().max(artifactLimits.nameChars),
  reason: z.string().max(400).meta({ description: 'For people; without a full stop.' }),
})
export type Refusal = z.output<typeof Refusal>

/** Events: they come in one commit with the run's end, and before it. */
export const ArtifactKept = Artifact.extend({ type: z.literal('artifact.kept') })
export const ArtifactRefused = Refusal.extend({ type: z.literal('artifact.refused') })

export const listArtifacts = operation({
  kind: 'call',
  name: 'run.artifacts',
  summary: "The files that were kept with a run, by name, and what was not kept and why. They are collected at the run's end.",
  input: z.strictObject({ run: RunId }),
  output: z.object({
    artifacts: z.array(
      Artifact.extend({
        here: z.boolean().meta({ description: 'Its bytes can be read now. False until they are copied from its host.' }),
      }),
    ),
    refused: z.array(Refusal),
  }),
  errors: ['run.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs/:run/artifacts',
})

export const readArtifact = operation({
  kind: 'bytes',
  name: 'run.artifact',
  summary: "One artifact's bytes from an offset on.",
  input: z.strictObject({
    run: RunId,
    name: ArtifactName,
    offset: z.coerce.number().int().nonnegative().default(0),
    limit: z.coerce.number().int().positive().optional().meta({ description: 'At most this many bytes.' }),
  }),
  output: z.unknown(),
  errors: ['run.unknown', 'artifact.unknown', 'artifact.not_here'],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs/:run/artifact',
})

function count(text: string, what: string): number {
  return text.split(what).length - 1
}
