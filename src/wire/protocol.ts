// Which protocol this software speaks, and what it calls itself. Raised only as docs/protocol.md, "Versions", says.

import packageJson from '../../package.json' with { type: 'json' }

export const protocolVersion = 1
/** The oldest that it still speaks. */
export const oldestProtocolVersion = 1
export const softwareVersion: string = packageJson.version
