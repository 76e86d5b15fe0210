import { conform } from './conform.ts'
import { bucketConnector } from './fixtures/bucket.ts'

conform(bucketConnector)
