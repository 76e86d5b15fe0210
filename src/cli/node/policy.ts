// node/policy.toml in MUSTER_HOME: what hubs that come by ssh may do on this machine. Who can log in by ssh may run anything as this
// account already, so that without the file everything is allowed; with it, what it names.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { z } from 'zod'
import { failure, MusterError } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { describeIssue } from '../../contract/implementation.ts'
import { families, type HostPolicy } from '../../host/policy.ts'

const Policy = z.strictObject({ allow: z.array(z.enum(families)) })

/** Throws `file.unreadable`: a policy that is not understood is never taken for a wider one. */
export async function readPolicy(home: string): Promise<HostPolicy> {
  const file = join(home, 'node', 'policy.toml')
  try {
    const parsed = Policy.safeParse(parse(await readFile(file, 'utf8')))
    if (parsed.success) return parsed.data
    throw failure('file.unreadable', { file, problem: parsed.error.issues.map(describeIssue).join('; ') })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { allow: 'everything' }
    if (error instanceof MusterError) throw error
    const problem =
      error instanceof TomlError ? `line ${error.line}, column ${error.column}: not TOML` : describeFileProblem(error)
    throw failure('file.unreadable', { file, problem }, { cause: error })
  }
}
