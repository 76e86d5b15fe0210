// Adds to our lockfiles the optional packages for other platforms that npm left out: `node scripts/complete-lockfile.ts`.
// A registry that mirrors only some platforms makes npm write a lockfile that `npm ci` then refuses on every machine, with
// "Missing: ... from lock file". test/habits/lockfile.test.ts says when this must be run, which is after such an `npm install`.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

interface Entry {
  version?: string
  license?: string
  dev?: boolean
  optionalDependencies?: Record<string, string>
}

export interface Lockfile {
  packages: Record<string, Entry>
}

interface Missing {
  readonly path: string
  readonly version: string
  readonly wantedBy: Entry
}

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']

/** The optional packages that some package of the lockfile names and the lockfile does not hold. */
export function missingPackages(lockfile: Lockfile): Missing[] {
  const found: Missing[] = []
  for (const [path, wantedBy] of Object.entries(lockfile.packages)) {
    for (const [name, version] of Object.entries(wantedBy.optionalDependencies ?? {})) {
      const hoisted = `node_modules/${name}`
      const nested = `${path}/${hoisted}`
      if (!lockfile.packages[hoisted] && !lockfile.packages[nested]) found.push({ path: hoisted, version, wantedBy })
    }
  }
  return found
}

/** What npm would have written, but for the checksum, which only the registry knows; without one npm checks nothing for it. */
function entryFor({ path, version, wantedBy }: Missing): Entry {
  const words = path.split(/[/-]/)
  const system = words.findIndex((word) => systems.includes(word))
  const cpu = words[system + 1]
  if (system === -1 || cpu === undefined) throw new Error(`${path} does not say which platform it is for: add it by hand`)
  return {
    version,
    ...{ cpu: [cpu] },
    ...(wantedBy.dev && { dev: true }),
    ...(words.at(-1) === 'musl' && { libc: ['musl'] }),
    ...(wantedBy.license && { license: wantedBy.license }),
    ...{ optional: true, os: [words[system]] },
  }
}

/** That of Muster, and that of what it is measured against. */
export const lockfiles = ['package-lock.json', 'bench/package-lock.json']

if (import.meta.main) for (const name of lockfiles) complete(name)

function complete(name: string): void {
  const file = fileURLToPath(new URL(`../${name}`, import.meta.url))
  const lockfile = JSON.parse(readFileSync(file, 'utf8')) as Lockfile
  const missing = missingPackages(lockfile)
  for (const one of missing) lockfile.packages[one.path] = entryFor(one)
  lockfile.packages = Object.fromEntries(Object.entries(lockfile.packages).sort(([a], [b]) => a.localeCompare(b, 'en')))
  writeFileSync(file, `${JSON.stringify(lockfile, null, 2)}\n`)
  console.log(missing.length === 0 ? `${name} was complete` : `${name}: added ${missing.length} packages`)
}
