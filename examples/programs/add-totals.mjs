// Adds up what survey-folder.mjs printed for each folder: add-totals.mjs JSON-ARRAY-OF-LINES

const lines = JSON.parse(process.argv[2] ?? '[]')
const rows = lines.map((line) => {
  const match = /^(.*): (\d+) files, (\d+) code, (\d+) comment, (\d+) blank$/.exec(line)
  if (!match) throw new Error(`This is no folder's sum: ${line}`)
  return [match[1], ...match.slice(2).map(Number)]
})
const totals = [1, 2, 3, 4].map((column) => rows.reduce((sum, row) => sum + row[column], 0))

const table = [['folder', 'files', 'code', 'comment', 'blank'], ...rows, ['total', ...totals]]
const widths = table[0].map((_, column) => Math.max(...table.map((row) => String(row[column]).length)))
for (const [folder, ...numbers] of table) {
  console.log([folder.padEnd(widths[0]), ...numbers.map((number, i) => String(number).padStart(widths[i + 1]))].join('  '))
}
