import { expect, test } from 'vitest'
import { fileCommands } from './files.ts'

test('a path is one text, however it is written: as that it is asked of the policy, and shown', () => {
  for (const { entry, prepare } of fileCommands(() => ({ roots: ['/srv'] }))) {
    const more = entry.name === 'file.write' ? { text: '' } : {}
    for (const [given, plain] of [
      ['/srv//private/', '/srv/private'],
      ['//srv/a', '/srv/a'],
      ['/', '/'],
      ['//', '/'],
    ])
      expect(prepare({ path: given, ...more }).shown.params, entry.name).toMatchObject({ path: plain })
  }
})
