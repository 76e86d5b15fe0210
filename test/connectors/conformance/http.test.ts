import { conform } from './conform.ts'
import { httpConnector } from './fixtures/http.ts'

conform(httpConnector)
