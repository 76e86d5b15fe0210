import { conform } from './conform.ts'
import { tunnelConnector } from './fixtures/tunnel.ts'

conform(tunnelConnector)
