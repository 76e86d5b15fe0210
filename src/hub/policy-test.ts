// What a host answers to `policy.test`, with what this hub has to say before the host is even asked: the asker's role and the record's
// trust. Used by the forwarder alone.

import type { Principal } from '../contract/implementation.ts'
import type { Decision } from '../contract/policy.ts'
import { combine, judge } from '../policy/decide.ts'
import { roleLayer, trustLayer } from '../policy/layers.ts'
import type { FleetHost } from './fleet.ts'

export function withOwnLayers(
  { name, trust }: Pick<FleetHost, 'name' | 'trust'>,
  command: string,
  principal: Principal,
  theirs: Decision,
): Decision {
  const question = { command, hub: 'local', principal }
  return combine([judge(roleLayer(principal), question), judge(trustLayer(trust, name), question), ...theirs.trace])
}
