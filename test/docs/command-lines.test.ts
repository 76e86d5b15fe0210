// Holds the command lines in documents and in hints to the command line itself: each is one that the program can parse.

import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { filesBelow, root } from '../../scripts/files.ts'
import { buildProgram } from '../../src/cli/program.ts'

const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')]
const program = newProgram()
const commandNames = program.commands.map((command) => command.name())
/** Options of other programs that our documents name. */
const foreign = ['--pinnedpubkey', '--global']

test.each(documents.flatMap((document) => linesToType(read(document)).map((line) => [document, line])))(
  '%s has a line that can be typed: %s',
  async (_document, line = '') => {
    expect(await complaint(line)).toBeUndefined()
  },
)

test.each(documents.flatMap((document) => namedCommands(document).map((line) => [document, line])))(
  '%s names a command that there is: %s',
  async (_document, line = '') => {
    // A command may be named without what it takes.
    expect((await complaint(line)) ?? 'nothing').toMatch(/^nothing$|^Missing required argument|^`muster \w+` needs one of/)
  },
)

test('every option that the pages for users name is one of ours', () => {
  const options = new Set(commandsBelow(program).flatMap(({ options }) => options.flatMap(({ long, short }) => [long, short])))
  const pages = [
    ...filesBelow('docs/connectors', '.md'),
    ...['cli', 'hosts', 'security', 'workflows'].map((one) => `docs/${one}.md`),
  ]
  const unknown = pages.flatMap((page) =>
    [...read(page).matchAll(/`(--[a-z][a-z-]*)[^`]*`/g)]
      .map(([, option = '']) => option)
      .filter((option) => !options.has(option) && !foreign.includes(option) && option !== '--help')
      .map((option) => `${page}: ${option}`),
  )
  expect(unknown).toEqual([])
})

test('what is no command line of ours is found out', async () => {
  expect(await complaint('muster hots list')).toMatch(/Unknown command/)
  expect(await complaint('muster host add NAME --bukcet URL')).toMatch(/Unknown option/)
  expect(await complaint('muster node enroll')).toMatch(/Missing required argument/)
  expect(linesToType('text\n\n    muster hub start  # now\n')).toEqual(['muster hub start'])
})

function read(document: string): string {
  return readFileSync(join(root, document), 'utf8')
}

/** Lines of code blocks that begin with our name, without what the shell keeps for itself. */
function linesToType(text: string): string[] {
  const fenced = [...text.matchAll(/^```\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) => block.split('\n'))
  const indented = text.split('\n').filter((line) => /^ {4}\S/.test(line))
  const lines = [...fenced, ...indented].map((line) => line.trim().replace(/\s+(#|<|\||>) .*$/, ''))
  return [...new Set(lines.filter((line) => /^muster [a-z]/.test(line)))]
}

/** In running text: `muster host list`; in cli.md, whose subject it is, also `host list`. */
function namedCommands(document: string): string[] {
  const withoutName = basename(document) === 'cli.md'
  const lines = [...read(document).matchAll(/`([^`\n]+)`/g)].flatMap(([, code = '']) => {
    const called = /^(?:MUSTER_\w+=\S+ )*(?:npm exec muster -- |muster )(\w.*)$/.exec(code)?.[1]
    const [first = '', second = ''] = code.split(' ')
    const isShort = withoutName && commandNames.includes(first) && /^[\w-]/.test(second)
    return called === undefined && !isShort
      ? []
      : [`muster ${called ?? code}`.replace(/\s+(<|\||>) .*$/, '').replace(/[[\]]/g, '')]
  })
  return [...new Set(lines.flatMap(eachMeant))]
}

/** `hub start|stop` is two lines. */
function eachMeant(line: string): string[] {
  const word = line.split(' ').find((one) => /^\w+(\|\w+)+$/.test(one))
  return word === undefined ? [line] : word.split('|').flatMap((one) => eachMeant(line.replace(word, one)))
}

/** What the program says against a line; undefined when nothing. The command itself is not run. */
async function complaint(line: string): Promise<string | undefined> {
  try {
    await newProgram().parseAsync(words(line).slice(1), { from: 'user' })
    return undefined
  } catch (refused) {
    const { message } = refused as Error
    return message === '(outputHelp)' || /^\d+\.\d+\.\d+$/.test(message) ? undefined : message
  }
}

/** As a shell would split it, with values in place of what stands for one. */
function words(line: string): string[] {
  const filled = line
    .replaceAll('ADDR:PORT', '127.0.0.1:7878')
    .replaceAll('PORT', '7878')
    .replace(/‹[^›]*›/g, 'x')
    .replace(/[[\]]/g, '')
    .replace(/ (\.\.\.|…)(?= |$)/g, ' x')
  return [...filled.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain ?? '')
}

function newProgram(): Command {
  return buildProgram(
    () => async () => {},
    () => {},
  )
}

function commandsBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsBelow)]
}
