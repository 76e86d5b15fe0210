// Installs this checkout's packages when they are missing or out of date; runs before `npm start`, `npm test` and the like.
// Plain JavaScript for Node 20: it brings the Node 24 that everything after it runs on (npm puts node_modules/.bin first on
// the path). It says one line before it installs, and nothing when there is nothing to do.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const readPackages = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages

if (!isInstalled()) {
  console.log('Installing the packages that package-lock.json names, Node.js 24 among them (once; some 15 seconds) ...')
  install()
}

/** npm writes node_modules/.package-lock.json last, so that an install that was cut off does not count as one. */
function isInstalled() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return false
  if (!existsSync(join(root, 'node_modules/node/bin/node'))) return false
  const present = readPackages('node_modules/.package-lock.json')
  const wanted = readPackages('package-lock.json')
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    // Optional packages are for other platforms; the first entry is this project.
    if (path === '' || (optional && !present[path])) return true
    return present[path]?.version === version
  })
}

function install() {
  // Not on the Node that is about to be replaced: npm first deletes node_modules, and with it that Node.
  const path = process.env.PATH.split(delimiter)
    .filter((folder) => !folder.split('/').includes('node_modules'))
    .join(delimiter)
  const npm = process.env.npm_execpath ? ['node', process.env.npm_execpath] : ['npm']
  const [program, ...args] = [...npm, 'ci', '--include=dev', '--loglevel=error']
  const done = spawnSync(program, args, { cwd: root, env: { ...process.env, PATH: path }, encoding: 'utf8' })
  if (done.status === 0) return
  process.stderr.write(done.error ? `${done.error.message}\n` : done.stdout + done.stderr)
  process.stderr.write('npm could not install the packages; its reason stands above. Mend it and run the same command again.\n')
  process.exitCode = 8
}
