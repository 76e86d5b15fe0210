// The one table of connectors that the suite knows. A new one joins here.

import type { Conforming } from './fixture.ts'
import { bucketConnector } from './fixtures/bucket.ts'
import { httpConnector } from './fixtures/http.ts'
import { localConnector } from './fixtures/local.ts'
import { sshConnector } from './fixtures/ssh.ts'
import { tunnelConnector } from './fixtures/tunnel.ts'

export const connectors: readonly Conforming[] = [localConnector, httpConnector, sshConnector, tunnelConnector, bucketConnector]
