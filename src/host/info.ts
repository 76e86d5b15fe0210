// What a host says of itself. What cannot be known is null, never zero.

import { arch, availableParallelism, hostname, platform, totalmem, uptime } from 'node:os'
import type { HostInfo } from '../contract/host.ts'
import { procManagers } from '../contract/proc.ts'
import { protocolVersion, softwareVersion } from '../wire/protocol.ts'

/** `kinds`, `allows` and `catalogSize` as this host has them for who asks. */
export function describeHost(own: Pick<HostInfo, 'activeRuns' | 'kinds' | 'allows' | 'catalogSize'>): HostInfo {
  const now = Date.now()
  return {
    version: softwareVersion,
    protocol: protocolVersion,
    platform: platform(),
    arch: arch(),
    hostname: hostname(),
    cores: knownCount(availableParallelism()),
    memoryBytes: knownCount(totalmem()),
    bootedAt: bootTime(now),
    clock: new Date(now).toISOString(),
    backends: [...procManagers],
    ...own,
  }
}

function knownCount(count: number): number | null {
  return count > 0 ? count : null
}

/** Some sandboxes refuse to say. */
function bootTime(now: number): string | null {
  try {
    return new Date(now - uptime() * 1000).toISOString()
  } catch {
    return null
  }
}
