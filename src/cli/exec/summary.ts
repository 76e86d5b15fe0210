// How a command went over several hosts, in a few lines: by exit code, and by what kept it from running.

import type { HostResult } from './host-result.ts'

export function summarize(results: readonly HostResult[]): string[] {
  const byCode = Map.groupBy(
    results.filter(({ code }) => code !== undefined),
    ({ code }) => code ?? 0,
  )
  const codes = [...byCode]
    .sort(([a], [b]) => a - b)
    .map(([code, group]) => `exit ${code}: ${group.map(({ host }) => host).join(', ')}`)
  const others = results
    .filter(({ code }) => code === undefined)
    .map(
      ({ host, run, error }) =>
        `${host}: ${error?.message ?? `the run was ${run?.state}.`}${error ? ` hint: ${error.hint}` : ''}`,
    )
  return [...codes, ...others]
}
