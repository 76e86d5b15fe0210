// What starting something on a host is called by whoever permits it: by the host's policy on its side, by the trust of a host's record on
// the hub's. Reading and ending what was started needs no permission, or a narrowed one would leave work that nobody can stop.

/** `runs`: start runs. `procs`: make procs. */
export const families = ['runs', 'procs'] as const
export type Family = (typeof families)[number]
