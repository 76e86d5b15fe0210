// What a host asks for beside what was approved: names (`exec`), beginnings of names (`file.*`), and `*` for all.

/** Whether all that `inner` names is named by `outer`. */
function covers(outer: string, inner: string): boolean {
  if (outer === '*' || outer === inner) return true
  return outer.endsWith('.*') && inner.startsWith(outer.slice(0, -1))
}

/** Those of `asked` that `approved` does not cover. */
export function beyond<T extends string>(asked: readonly T[], approved: readonly string[]): T[] {
  return asked.filter((one) => !approved.some((given) => covers(given, one)))
}
