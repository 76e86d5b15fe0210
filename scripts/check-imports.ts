// Holds the direction of imports: `node scripts/check-imports.ts`, a part of `npm run check`.

import { readGraph } from './imports/graph.ts'
import { importProblems } from './imports/rules.ts'

const graph = readGraph()
const problems = importProblems(graph)
for (const problem of problems) console.error(problem)
console.log(problems.length === 0 ? `${graph.size} files import in the right direction` : `${problems.length} imports to mend`)
process.exitCode = problems.length === 0 ? 0 : 1
