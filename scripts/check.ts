// `npm run check`: everything about the sources that can be known without running them.

import { runChecks } from './checks.ts'

process.exitCode = runChecks().failed === 0 ? 0 : 1
