// Where this program's compiled code is kept for the next command, which takes a tenth longer without it. CommonJS, since it is
// needed before the first ES module; bin/muster.js loads it, and that is all there is to do.
'use strict'

const { mkdirSync, statSync } = require('node:fs')
const { enableCompileCache } = require('node:module')
const { homedir } = require('node:os')
const { join } = require('node:path')

const writableByOthers = 0o022

keepCompiled()

/**
 * What is kept is code, so it lies below what this account alone can write to. Node's own choice is a name in the common temporary
 * directory, which another account may have taken first. Without such a place nothing is kept.
 */
function keepCompiled() {
  const { XDG_CACHE_HOME: caches } = process.env
  try {
    const base = caches || homedir()
    const { uid, mode } = statSync(base)
    if (uid !== process.getuid() || (mode & writableByOthers) !== 0) return
    const directory = caches ? join(base, 'muster') : join(base, '.cache', 'muster')
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    enableCompileCache(directory)
  } catch {
    // No home, or one that cannot be written to: each command compiles for itself.
  }
}
