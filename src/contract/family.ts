// What is begun by operations of its own, and not invoked by name, as policies call it: on a host's side and in the trust of its record.
// Reading and ending what was started needs no permission, or a narrowed one would leave work that nobody can stop.

/** `runs`: start runs. `procs`: make procs. */
export const families = ['runs', 'procs'] as const
export type Family = (typeof families)[number]
