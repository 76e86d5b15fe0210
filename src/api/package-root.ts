// Where this package's own files are, in a checkout as in an installed package.

import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'

const root = dirname(findPackageJSON(import.meta.url) ?? import.meta.filename)

export function packageFile(...path: readonly string[]): string {
  return join(root, ...path)
}
