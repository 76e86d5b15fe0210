// PostgreSQL for the queues that need one, with the durability that it comes with.

import { startPostgres } from '../../test/resources/postgres.ts'

export const postgresSettings = 'PostgreSQL 18, fsync and synchronous_commit on'

export const startDurablePostgres = () => startPostgres({ initdb: [], settings: ['fsync=on', 'synchronous_commit=on'] })
