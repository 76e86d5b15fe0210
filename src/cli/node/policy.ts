// The policy with which a node is started: what its command line allows, and node/policy.toml on top, read anew at each question.

import type { HostPolicy } from '../../host/policy.ts'
import { openPolicyFile, policyFileOf } from '../../host/policy-file.ts'

/** Throws `policy.unreadable`: whoever starts a node is told at once that it would refuse everything. */
export function nodePolicy(home: string, started: Omit<HostPolicy, 'file'>): HostPolicy {
  const file = policyFileOf(home)
  openPolicyFile(file).read()
  return { ...started, file }
}
