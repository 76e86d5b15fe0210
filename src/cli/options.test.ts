import { Command } from 'commander'
import { expect, test } from 'vitest'
import { bind, pair, repeated, showBind, single, tunnelUrl, variable } from './options.ts'

test('an address is read with its port, IPv6 in brackets', () => {
  expect(['127.0.0.1:7878', '[::1]:0', 'localhost:80'].map(bind)).toEqual([
    { host: '127.0.0.1', port: 7878 },
    { host: '::1', port: 0 },
    { host: 'localhost', port: 80 },
  ])
  expect(showBind(bind('[::1]:0'))).toBe('[::1]:0')
})

test.each(['7878', ':7878', '127.0.0.1', '::1:80', 'a:65536', 'http://a:1', 'a b:1', 'a:-1', ''])('%j is no address', (text) => {
  expect(() => bind(text)).toThrow(/ADDRESS:PORT/)
})

test('pairs keep what follows the first =, and variables may stand alone', () => {
  expect(pair('a=b=c')).toEqual(['a', 'b=c'])
  expect(pair('a=')).toEqual(['a', ''])
  expect(() => pair('=b')).toThrow()
  expect(variable('HOME')).toEqual(['HOME', undefined])
  expect(variable('A=')).toEqual(['A', ''])
  expect(() => variable('A B=1')).toThrow()
})

test("a hub's address becomes that of its tunnel, and anything more than an address is refused", () => {
  expect(tunnelUrl('https://hub.example:7878')).toBe('wss://hub.example:7878')
  expect(tunnelUrl('ws://127.0.0.1:1/')).toBe('ws://127.0.0.1:1')
  for (const wrong of ['hub', 'ftp://hub', 'wss://u:p@hub', 'wss://hub/path', 'wss://hub?x=1'])
    expect(() => tunnelUrl(wrong)).toThrow()
})

test('an option that may come once is refused when it comes twice; a repeated one gathers', () => {
  const parse = (...args: string[]) =>
    new Command()
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .addOption(single('--one <n>', '', (value) => value))
      .addOption(repeated('--many <n>', '', (value) => value))
      .parse(args, { from: 'user' })
      .opts()
  expect(parse('--one', '1', '--many', 'a', '--many', 'b')).toEqual({ one: '1', many: ['a', 'b'] })
  expect(() => parse('--one', '1', '--one', '1')).toThrow(/given twice/)
})
