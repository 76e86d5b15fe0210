// Places where a crash matters have a name. Tests that kill for real start the process with MUSTER_CRASHPOINT set to one;
// in production the variable is not set and this is a comparison.

export type Crashpoint =
  | 'submit.after-commit'
  | 'claim.after-commit'
  | 'start.after-answer'
  | 'accept.after-commit'
  | 'spawn.after-spawn'
  | 'artifact.after-copy'
  | 'artifacts.before-end'

/** Ends this process as `kill -9` would, if it was told to die here. */
export function crashpoint(name: Crashpoint): void {
  if (process.env.MUSTER_CRASHPOINT === name) process.kill(process.pid, 'SIGKILL')
}
