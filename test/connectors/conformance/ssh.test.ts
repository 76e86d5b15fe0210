import { conform } from './conform.ts'
import { sshConnector } from './fixtures/ssh.ts'

conform(sshConnector)
