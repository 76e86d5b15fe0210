// `muster cp`.

import type { Command } from 'commander'
import { declareCommand } from '../declare.ts'
import type { Perform } from '../perform.ts'

const notes = `
Each is a path here, or HOST:PATH. A path on a host is absolute, or begins in the first directory that the host exposes (docs/files.md);
it may be a glob, in quotes. Both sides may be hosts: the bytes pass through, and are kept nowhere between.

Files at the target are replaced, as with scp; --no-clobber leaves them. One that has the size, time and mode of its source is not
sent again, but with --force. Modes and times are kept. Links are not copied, and said.

After a break it goes on by itself; after Ctrl-C the same words go on where it stood.

Examples:
  muster cp backup.tar box:
  muster cp -r ./site box:/srv/www
  muster cp 'box:/var/log/app/*.log' logs/
  muster cp -r --dry-run box:/srv/data mac:/Volumes/data
`

export function cpCommand(program: Command, perform: Perform): void {
  declareCommand(program, 'cp <paths...>', 'copy files from here to a host, from a host to here, or from host to host')
    .usage('[options] FROM... TO')
    .option('-r, --recursive', 'copy directories, with all that is in them')
    .option('--force', 'send also what seems to be there already')
    .option('--no-clobber', 'leave files that are there as they are')
    .option('--dry-run', 'show what would be copied; change nothing')
    .addHelpText('after', notes)
    .action(perform(async () => (await import('../cp/cp.ts')).cp))
}
