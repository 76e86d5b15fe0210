import { expect, test } from 'vitest'
import { isLoopback } from './loopback.ts'

test.each([
  '127.0.0.1',
  '127.8.9.10',
  '::1',
  '[::1]',
  'localhost',
  'LOCALHOST',
  'localhost.',
  '::ffff:127.0.0.1',
  '0:0:0:0:0:0:0:1',
])("%s is only this machine's", (address) => expect(isLoopback(address)).toBe(true))

test.each([
  '0.0.0.0',
  '::',
  '',
  '192.168.1.1',
  '127.evil.example',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  '::ffff:10.0.0.1',
  '1270.0.1',
])('%s can be reached from elsewhere', (address) => expect(isLoopback(address)).toBe(false))
