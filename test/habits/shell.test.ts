// Holds the shell scripts of this tree to shellcheck's rules.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesBelow, root } from '../../scripts/files.ts'
import { hasProgram } from '../../scripts/system-parts.ts'

const scripts = ['.ci', 'scripts', 'test', 'examples']
  .flatMap((folder) => filesBelow(folder, ''))
  .filter((file) => /^#!.*\b(ba)?sh\b/.test(readFileSync(join(root, file), 'utf8')))

test.skipIf(!hasProgram('shellcheck')).each(scripts)('%s passes shellcheck', (script) => {
  const done = spawnSync('shellcheck', [script], { cwd: root, encoding: 'utf8' })
  expect(done.stdout + done.stderr).toBe('')
})
