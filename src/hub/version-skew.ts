// How a host's version stands to this hub's. Shown, and nothing else: only the protocol's version decides who can talk to whom.

export type VersionSkew = 'same' | 'older' | 'newer' | 'other'

/** `other`: one of the two is no version of the form 1.2.3, or they differ in what follows it only. */
export function versionSkew(host: string, hub: string): VersionSkew {
  if (host === hub) return 'same'
  const theirs = numbersOf(host)
  const ours = numbersOf(hub)
  if (!theirs || !ours) return 'other'
  const differing = theirs.findIndex((number, i) => number !== ours[i])
  if (differing === -1) return 'other'
  return (theirs[differing] ?? 0) < (ours[differing] ?? 0) ? 'older' : 'newer'
}

function numbersOf(version: string): number[] | undefined {
  return /^(\d+)\.(\d+)\.(\d+)(?=$|[-+])/.exec(version)?.slice(1).map(Number)
}
