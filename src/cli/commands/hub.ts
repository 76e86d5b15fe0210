// `muster hub …`: the hub as a process.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { bind, databaseUrl, fileName, nonEmpty, repeated, single } from '../options.ts'
import type { Perform } from '../perform.ts'

export function hubCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'hub', 'the hub itself: serve it, or start and stop it in the background')
  serveOptions(declareCommand(group, 'serve', 'serve the hub in this process until Ctrl-C or SIGTERM')).action(
    perform(async () => (await import('../hub/serve.ts')).serve),
  )
  serveOptions(declareCommand(group, 'start', 'serve the hub in the background; returns when it is ready')).action(
    perform(async () => (await import('../hub/start.ts')).start),
  )
  declareCommand(group, 'stop', 'stop the hub of this home; runs go on').action(
    perform(async () => (await import('../hub/stop.ts')).stop),
  )
  declareCommand(group, 'status', 'whether the hub of this home runs, where, and since when').action(
    perform(async () => (await import('../hub/status.ts')).status),
  )
  const ca = declareCommand(group, 'ca', "the certificate of the hub's own authority, by which its address can be trusted")
    .enablePositionalOptions()
    .usage('[options] | rotate [options]')
    .action(perform(async () => (await import('../hub/authority.ts')).showCa))
  declareCommand(ca, 'rotate', 'let a new root sign; the former one counts until what it signed has been renewed').action(
    perform(async () => (await import('../hub/authority.ts')).rotateCa),
  )
}

function serveOptions(command: Command): Command {
  return command
    .addOption(single('--bind <addr:port>', 'where it listens (default 127.0.0.1:7878; port 0 takes a free one)', bind))
    .option('--token-stdin', "read an operator's token from standard input; needed to listen beyond this machine")
    .option('--tls', "end TLS here, with a certificate of the hub's own authority for --bind and --allow-host")
    .addOption(single('--tls-cert <file>', 'end TLS here, with this certificate (PEM, with those below it)', fileName))
    .addOption(single('--tls-key <file>', 'the key of that certificate (PEM); both are read again when they change', fileName))
    .option('--read-only', 'whoever comes over the network may only read; on this machine everything is allowed')
    .option('--no-open', "do not open the hub's page in a browser (it is opened only from a terminal on a desktop)")
    .addOption(
      single('--store <url>', "keep the hub's records in PostgreSQL: postgres://… (default: SQLite in MUSTER_HOME)", databaseUrl),
    )
    .addOption(single('--label <text>', "what the hub calls itself (default: the machine's name)", nonEmpty))
    .addOption(repeated('--allow-host <name>', 'a further name that browsers may reach it by; may be repeated', nonEmpty))
}
