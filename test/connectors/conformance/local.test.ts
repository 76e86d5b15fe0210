import { conform } from './conform.ts'
import { localConnector } from './fixtures/local.ts'

conform(localConnector)
