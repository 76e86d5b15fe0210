// How comments look, by a file's extension. Used by the other programs here.

const slashes = { line: '//', open: '/*', close: '*/' }
const hash = { line: '#' }

const languages = {
  ts: slashes,
  tsx: slashes,
  js: slashes,
  jsx: slashes,
  mjs: slashes,
  cjs: slashes,
  c: slashes,
  h: slashes,
  cpp: slashes,
  go: slashes,
  rs: slashes,
  java: slashes,
  kt: slashes,
  swift: slashes,
  css: { open: '/*', close: '*/' },
  py: hash,
  sh: hash,
  rb: hash,
  yaml: hash,
  yml: hash,
  toml: hash,
  sql: { line: '--', open: '/*', close: '*/' },
}

function languageOf(name) {
  return languages[name.slice(name.lastIndexOf('.') + 1).toLowerCase()]
}

export function isSource(name) {
  return languageOf(name) !== undefined
}

/** Counts a file's lines. A line with code and a comment is code. */
export function countLines(name, text) {
  const { line, open, close } = languageOf(name) ?? {}
  const counts = { code: 0, comment: 0, blank: 0 }
  let inComment = false
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  for (const raw of lines) {
    const trimmed = raw.trim()
    const opens = open !== undefined && trimmed.startsWith(open)
    if (trimmed === '') counts.blank++
    else if (inComment || opens || (line !== undefined && trimmed.startsWith(line))) counts.comment++
    else counts.code++
    if (opens) inComment = true
    if (inComment && trimmed.includes(close)) inComment = false
  }
  return counts
}
