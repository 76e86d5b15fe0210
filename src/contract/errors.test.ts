import { expect, test } from 'vitest'
import { asMusterError } from './errors.ts'

function systemError(code: string, path?: string): Error {
  return Object.assign(new Error(`${code}: as the system says it`), { code, ...(path !== undefined && { path }) })
}

test('a want of file descriptors or of room is told as that, wherever it is met', () => {
  expect(asMusterError(systemError('EMFILE'))).toMatchObject({ code: 'process.descriptors', retryable: true })
  expect(asMusterError(systemError('ENOSPC', '/home/x/hub'))).toMatchObject({
    code: 'store.unavailable',
    message: '/home/x/hub cannot be written: the disk is full.',
    hint: expect.stringContaining('`df -h /home/x/hub`'),
  })
  expect(asMusterError(systemError('EROFS', '/home/x/hub'))).toMatchObject({
    message: '/home/x/hub cannot be written: the file system is read-only.',
  })
  expect(asMusterError(systemError('EIO'))).toMatchObject({ code: 'internal' })
})
