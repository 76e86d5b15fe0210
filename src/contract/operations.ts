// The whole contract as three lists. A host answers hostOperations; a hub answers hubOperations, and hostOperations for each host.
// What a hub asks of a node's link, and nobody of the hub, are linkOperations.

import {
  approveApproval,
  denyApproval,
  followApprovals,
  forgetApproval,
  linkApproval,
  listApprovals,
  resolveApproval,
  revokeApproval,
  showApproval,
} from './approval.ts'
import { listArtifacts, readArtifact } from './artifact.ts'
import { exportAudit, listAudit, verifyAudit } from './audit.ts'
import { installCertificate, requestCertificate, rotateAuthority, showAuthority } from './certificate.ts'
import { invokeCommand, invokeOnFleet, listCommands } from './command.ts'
import { followEvents, followJournal } from './event.ts'
import {
  askForFiles,
  digestFile,
  dropFile,
  gatherFiles,
  getFile,
  keepFile,
  lookAtFile,
  putFile,
  scatterFiles,
  stagedFile,
  walkFiles,
} from './file.ts'
import { findRun, getHubInfo, listFleetRuns, submitRun } from './fleet.ts'
import { followFleetEvents, followNodeEvents } from './fleet-event.ts'
import {
  addHost,
  enrollNode,
  getHostInfo,
  labelHost,
  listHosts,
  removeHost,
  renameHost,
  replaceHostToken,
  showHost,
  shutdownHost,
  trustHost,
} from './host.ts'
import type { Operation } from './operation.ts'
import { feedOutput, followLog, readOutput } from './output.ts'
import { approvePairing, listPairings, rejectPairing } from './pairing.ts'
import { testPolicy } from './policy.ts'
import { applyProc, callProc, getProc, listProcs, stopProc } from './proc.ts'
import { relayFiles } from './relay.ts'
import { cancelRun, getRun, listRuns, pauseRun, resumeRun, startRun, writeStdin } from './run.ts'
import { createToken, listTokens, revokeToken, showCaller } from './token.ts'

export const hostOperations: readonly Operation[] = [
  getHostInfo,
  shutdownHost,
  followJournal,
  followNodeEvents,
  startRun,
  getRun,
  listRuns,
  cancelRun,
  pauseRun,
  resumeRun,
  writeStdin,
  followEvents,
  readOutput,
  followLog,
  feedOutput,
  listArtifacts,
  readArtifact,
  applyProc,
  stopProc,
  getProc,
  listProcs,
  callProc,
  testPolicy,
  listCommands,
  invokeCommand,
  lookAtFile,
  walkFiles,
  askForFiles,
  getFile,
  digestFile,
  gatherFiles,
  stagedFile,
  putFile,
  keepFile,
  dropFile,
  scatterFiles,
  followApprovals,
  resolveApproval,
  forgetApproval,
]

export const hubOperations: readonly Operation[] = [
  getHubInfo,
  showCaller,
  showAuthority,
  rotateAuthority,
  listHosts,
  showHost,
  addHost,
  renameHost,
  labelHost,
  trustHost,
  replaceHostToken,
  removeHost,
  enrollNode,
  listPairings,
  approvePairing,
  rejectPairing,
  submitRun,
  listFleetRuns,
  findRun,
  followFleetEvents,
  invokeOnFleet,
  relayFiles,
  createToken,
  listTokens,
  revokeToken,
  listApprovals,
  showApproval,
  approveApproval,
  denyApproval,
  revokeApproval,
  linkApproval,
  listAudit,
  verifyAudit,
  exportAudit,
]

export const linkOperations: readonly Operation[] = [requestCertificate, installCertificate]
