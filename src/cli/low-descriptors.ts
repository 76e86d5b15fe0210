// Says in the log of a hub or node, as it starts, that it may soon be short of file descriptors.

import type { Logger } from 'pino'
import { descriptorLimit, fewDescriptors } from '../api/descriptors.ts'

export function warnOfFewDescriptors(log: Logger): void {
  const limit = descriptorLimit()
  if (limit === undefined || limit >= fewDescriptors) return
  log.warn({ limit }, `few files and connections may be open at once; \`ulimit -n 65536\` before the start allows more`)
}
