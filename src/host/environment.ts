// The environment that a host's commands and procs get: a short list of harmless variables, what their spec gives, who they are.
// An allowlist, since a denylist would leak the next secret that somebody exports before starting the node.

const inherited = new Set(['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'TZ', 'TMPDIR'])

/** `own` is this process's environment; `given` wins over it, `identity` (MUSTER_RUN, MUSTER_HOST…) over both. */
export function environmentFor(
  own: NodeJS.ProcessEnv,
  given: Readonly<Record<string, string>>,
  identity: Readonly<Record<string, string>>,
): Record<string, string> {
  const kept = Object.entries(own).filter((entry): entry is [string, string] => entry[1] !== undefined && isInherited(entry[0]))
  return { ...Object.fromEntries(kept), ...given, ...identity }
}

function isInherited(name: string): boolean {
  return inherited.has(name) || name.startsWith('LC_')
}
