// What was given of a way to reach a host, checked before any hub is asked: in the words of the flags, and with the files that it names.
// The hub checks it again: it may be another version, and others ask it too.

import { access, constants, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { ConnectorConfig, refuseUnsafe } from '../../connectors/config.ts'
import { failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { printable, shorten } from '../printable.ts'
import type { Chosen } from './connector-options.ts'

/** Throws `cli.usage` with the flag that is wrong, `link.insecure`. */
export function checkConnector({ connector, flagOf }: Pick<Chosen, 'connector' | 'flagOf'>): void {
  const parsed = ConnectorConfig.safeParse(connector)
  if (parsed.success) return refuseUnsafe(parsed.data)
  const problems = parsed.error.issues.map(({ path: [field], message }) => {
    const flag = flagOf(String(field)) ?? String(field)
    const value = shorten(printable(String(connector[String(field)] ?? '')), 80)
    return `${flag} "${value}" is not valid: ${message.replace(/\.$/, '')}`
  })
  throw failure('cli.usage', { problem: `${problems.join('; ')}.`, hint: '`muster host add --help` says what each takes.' })
}

/** For a hub on this machine, which is this account's. Throws `file.unreadable`. */
export async function checkFiles(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const at = file.replace(/^~(?=\/)/, homedir())
    try {
      await access(at, constants.R_OK)
    } catch (cause) {
      throw failure('file.unreadable', { file, problem: describeFileProblem(cause) }, { cause })
    }
    if ((await stat(at)).isDirectory()) throw failure('file.unreadable', { file, problem: 'it is a directory' })
  }
}
