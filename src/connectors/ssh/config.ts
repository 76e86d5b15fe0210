// What the registry record of an ssh host holds: where `ssh` is to go, and what is called there. No secret: ssh has keys and agents.

import { z } from 'zod'

/** Letters that no shell and no `%h` of an ssh configuration can take for anything else. */
const destination = /^(?:[A-Za-z0-9_][A-Za-z0-9_.+@-]*@)?[A-Za-z0-9_[:][A-Za-z0-9_.:%[\]-]*$/

const oneLine = /^[^\u0000-\u001f\u007f]+$/

const Line = z.string().max(4096).regex(oneLine, 'it is one line without control characters')

/** As the hub's own directory is not the caller's, a relative path would mean something else for each of them. */
const File = Line.regex(/^~?\//, 'it is an absolute path, or begins with ~/')

export const SshConfig = z.strictObject({
  kind: z.literal('ssh'),
  destination: z.string().max(255).regex(destination, 'it is written user@host, host, or the name of an entry in ~/.ssh/config'),
  port: z.int().min(1).max(65_535).optional(),
  /** The private key to use, beside those that its configuration names; else what ssh tries by itself. */
  identityFile: File.optional(),
  /** Instead of ~/.ssh/config and the system's. */
  configFile: File.optional(),
  /** Words for the shell there, before `node attach`. */
  remoteCommand: Line.default('muster'),
})
export type SshConfig = z.output<typeof SshConfig>
