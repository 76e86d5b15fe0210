// The ways in which a node reaches its hub: the links, for the process that makes a machine a host (src/cli).

export { parseEnrolmentToken } from './enrolment-token.ts'
export { linkTunnel } from './tunnel/link.ts'
