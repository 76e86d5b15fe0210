// How to mend each field of a workflow file that has the wrong shape: one sentence per field.
// Keys are paths with `*` for a list's index or a name; check.ts looks them up, shape.test.ts holds them to the shape.

export const fixes: Readonly<Record<string, string>> = {
  '': 'Begin the file with `name:` and `steps:`.',
  name: 'Write `name:` and a short text at the top of the file.',
  description: 'Write a text; put it in quotes if it holds a colon.',
  inputs:
    'Write names and their fields under `inputs:`, as in `inputs: { root: { type: string } }`; a name has letters, digits, "_".',
  'inputs.*':
    'Write its fields below the name, as in `root: { type: string, default: "." }`; `root: {}` is a text with no default.',
  'inputs.*.type': 'Write one of: string, integer, boolean, list.',
  'inputs.*.required': 'Write true or false.',
  'inputs.*.default': "Write a value of the input's type; leave the field out to have none.",
  'inputs.*.enum': 'Write the allowed values as a list, as in `enum: [fast, full]`.',
  'inputs.*.enum.*': 'Write text, a number, or true or false.',
  'inputs.*.description': 'Write a text; put it in quotes if it holds a colon.',
  defaults: 'Write its fields below it, as in `defaults: { timeout: 10m }`.',
  'defaults.continue_on_error': 'Write true or false.',
  'defaults.timeout': 'Write seconds, or a number with s, m, h or d: 90, "90s", "10m", "2h"; at most 30 days.',
  steps: 'Write a list of 1 to 1000 steps, each beginning with "- id: NAME".',
  'steps.*': 'Write the step\'s fields below "- id: NAME".',
  'steps.*.id':
    'Write `id:` and a name of its own: a small letter, then small letters, digits, "-" or "_"; at most 63 characters.',
  'steps.*.name': 'Write a text of 1 to 200 characters.',
  'steps.*.run': 'Write the program and its arguments as a list, as in `run: [ls, -l]`; a line for the shell goes into `shell:`.',
  'steps.*.run.*': 'Write text or a number; put text with special characters in quotes, and the empty text as "".',
  'steps.*.shell': 'Write the line as text; put it in quotes, or on the next lines after `shell: |`.',
  'steps.*.when': 'Write a CEL expression as text, at most 4096 characters, as in `when: steps.build.exit_code == 0`.',
  'steps.*.for_each':
    'Write a list of at most 10,000 items, or a template that gives one, as in `for_each: "{{ inputs.files }}"`.',
  'steps.*.distribute': 'Write the hosts below it, as in `distribute: { hosts: [local, box] }`.',
  'steps.*.distribute.hosts':
    'Write 1 to 1000 host names as a list, or a template that gives them, as in `hosts: "{{ inputs.hosts }}"`.',
  'steps.*.distribute.hosts.*': "Write a host's name.",
  'steps.*.max_parallel': 'Write a whole number from 1 to 1000.',
  'steps.*.continue_on_error': 'Write true or false.',
  'steps.*.host': "Write a host's name; several hosts go into `distribute: { hosts: […] }`.",
  'steps.*.cwd': 'Write a directory as text.',
  'steps.*.env': 'Write variables and their values below it, as in `env: { LEVEL: "3" }`; a name has letters, digits and "_".',
  'steps.*.env.*': 'Write text or a number; the empty text as "".',
  'steps.*.artifacts': 'Write at most 64 globs as a list, as in `artifacts: ["out/*.tar"]`, from the working directory on.',
  'steps.*.artifacts.*': 'Write a glob as text, in quotes, as in "out/*.tar".',
  'steps.*.timeout': 'Write seconds, or a number with s, m, h or d: 90, "90s", "10m", "2h"; at most 30 days.',
}

const listed = new Set(['enum', 'steps', 'run', 'hosts', 'artifacts'])
const named = new Set(['inputs', 'env'])

/** The fix for a field, by its path. */
export function fixFor(path: readonly (string | number)[]): string {
  const pattern = path
    .map((key, i) => {
      const parent = path[i - 1]
      return typeof parent === 'string' && (listed.has(parent) || (named.has(parent) && (i === 1 || parent === 'env')))
        ? '*'
        : key
    })
    .join('.')
  return fixes[pattern] ?? 'See docs/workflows.md for what may stand here.'
}
