// Identifiers and names that cross a boundary: their shapes, so that each is checked once, at the edge.
// Run ids become directory names on every host, so nothing that a path could trip over is allowed.

import { z } from 'zod'
import { commandName, longestCommandName } from './command-name.ts'

export const RunId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
    'a run id is 1 to 128 letters, digits, "_", "." or "-", and begins with a letter or digit',
  )
  .refine((id) => !id.includes('..'), 'a run id has no ".."')
  .meta({ description: 'A run, unique on its host; `(host, run)` addresses it everywhere.' })

/** A host's name or id, as people write it. */
export const HostRef = z.string().min(1).max(128).meta({ description: 'A host, by name or id.' })

export const HostName = z
  .string()
  .normalize('NFC')
  .regex(
    // Marks carry the vowels of many scripts. What is drawn as nothing would make two names of one.
    /^(?!.*\p{Default_Ignorable_Code_Point})[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{0,62}$/u,
    'a host name is 1 to 63 letters, digits, ".", "_" or "-", and begins with a letter or digit',
  )
  .meta({
    description: "A host's name: unique at its hub, compared without regard to case and to how its characters are encoded.",
  })

/** The same for names that people take for one: whatever their case, and however their characters are composed or how wide they are. */
export function nameKey(name: string): string {
  return name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC')
}

export const ProcName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'a proc name is 1 to 128 letters, digits, "_", "." or "-"')

/** A dot parts a name into what policies may name as a whole: `file.read` is one of `file.*`. */
export const CommandName = z
  .string()
  .max(longestCommandName)
  .regex(commandName, 'a command\'s name is small letters, digits, "_" and "-", in parts with "." between them')

/** ISO 8601 in UTC, milliseconds. */
export const Time = z.iso.datetime()

export const localHost = 'local'

/** Labels select hosts; they grant nothing. */
export const Labels = z.record(
  z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/,
      'a label\'s name is 1 to 63 letters, digits, ".", "_", "/" or "-", and begins with a letter or digit',
    ),
  z.string().max(255),
)

/** A boolean that may also come as `true`, `1`, `no`… from a query string. */
export const Flag = z.boolean().or(z.stringbool())

/** A list that may also come as one value, which is how a query string gives a list of one. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.array(item).or(item.transform((one) => [one]))
}
