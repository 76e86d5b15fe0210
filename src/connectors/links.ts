// The ways in which a node reaches its hub: the links, for the process that makes a machine a host (src/cli).

export { BucketPlace } from './bucket/config.ts'
export { parseJoinToken } from './bucket/join-token.ts'
export { pullFromBucket } from './bucket/link.ts'
export { parseEnrolmentToken } from './enrolment-token.ts'
export { knownHubs } from './known-hubs.ts'
export { type Attached, attachSocket, serveAttached } from './ssh/link.ts'
export { formatMarker } from './ssh/marker.ts'
export { TrustConfig } from './trust.ts'
export { forgetJoinedHub, type JoinedHub, listJoinedHubs } from './tunnel/credential.ts'
export { leaveTunnel } from './tunnel/leave.ts'
export { linkTunnel, type TunnelState } from './tunnel/link.ts'
export { pairTunnel } from './tunnel/pair.ts'
