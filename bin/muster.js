#!/usr/bin/env node
// The door of the command line: the file that any Node can read, so that too old a Node is told so in one clear line.
// CommonJS and old syntax on purpose; what it loads may use everything that Node 24 has.
'use strict'

var needed = 24
var found = parseInt(process.versions.node, 10)

if (found < needed) {
  process.stderr.write(
    'muster needs Node.js ' +
      needed +
      ' or newer and found ' +
      process.versions.node +
      ' (' +
      process.execPath +
      '); ' +
      remedy() +
      '\n',
  )
  process.exitCode = 8
} else {
  // Before anything waits for a disk: Node lets four of its tasks do that at once, and many small files are nothing but waiting.
  process.env.UV_THREADPOOL_SIZE = process.env.UV_THREADPOOL_SIZE || '16'
  require('./compile-cache.cjs')
  // The built package is a few large files: what went wrong is told by the sources' lines.
  if (process.env.MUSTER_DEBUG) process.setSourceMapsEnabled(true)
  require(entry()).main()
}

/** A checkout runs its sources, an installed package its build. */
function entry() {
  var fs = require('fs')
  var path = require('path')
  var source = path.join(__dirname, '..', 'src', 'cli', 'main.ts')
  return fs.existsSync(source) ? source : path.join(__dirname, '..', 'dist', 'cli', 'main.js')
}

/** A checkout brings its own Node, which npm puts first on the path. */
function remedy() {
  var fs = require('fs')
  var path = require('path')
  var own = path.join(__dirname, '..', 'node_modules', 'node', 'package.json')
  return fs.existsSync(own)
    ? 'in this checkout run it as `npm exec muster -- ...`.'
    : 'get it from https://nodejs.org/ or with `npm install --global node@' + needed + '`.'
}
