// Every error that Muster can answer, once: code, HTTP status, exit code, retryable, sentence, hint.
// CLI, HTTP, wire and later MCP all speak it. Codes are never reused for another meaning; docs/errors.md is checked against it.

import { describeFileProblem } from './file-problem.ts'

/** Exit codes of the CLI (docs/exit-codes.md). `exec` passes the command's own code through and uses 255 for ours. */
export const exitCode = {
  ok: 0,
  workFailed: 1,
  usage: 2,
  refused: 3,
  notFound: 4,
  conflict: 5,
  unavailable: 6,
  deadline: 7,
  environment: 8,
  internal: 70,
  interrupted: 130,
} as const

type ExitCode = (typeof exitCode)[keyof typeof exitCode]

interface Entry<P> {
  readonly status: number
  readonly exit: ExitCode
  readonly retryable: boolean
  readonly sentence: (p: P) => string
  readonly hint: (p: P) => string
}

function entry<P>(
  status: number,
  exit: ExitCode,
  retryable: boolean,
  sentence: (p: P) => string,
  hint: (p: P) => string,
): Entry<P> {
  return { status, exit, retryable, sentence, hint }
}

export const catalogue = {
  'input.invalid': entry(400, exitCode.usage, false,
    (p: { what: string; problem: string }) => `${p.what} is not valid: ${p.problem}.`,
    (p) => `Correct ${p.what} and send it again; \`muster --help\` and docs/api.md show the shape.`),
  'operation.unknown': entry(404, exitCode.notFound, false,
    (p: { operation: string }) => `There is no operation ${p.operation} here.`,
    () => 'Compare versions with `muster doctor`: the other side may be older.'),
  'internal': entry(500, exitCode.internal, false,
    (p: { problem: string }) => `Muster itself failed: ${p.problem}.`,
    () => 'Run `muster doctor`, then report this sentence with its output.'),

  'auth.required': entry(401, exitCode.refused, false,
    () => 'This hub wants a token.',
    () => 'Set MUSTER_TOKEN, or run on the hub\'s own machine, where none is needed.'),
  'auth.invalid': entry(401, exitCode.refused, false,
    () => 'The token is not known to this hub, or was revoked.',
    () => 'On the hub\'s machine: `muster token create NAME --role operator`.'),
  'auth.expired': entry(401, exitCode.refused, false,
    (p: { at: string }) => `The token expired at ${p.at}.`,
    () => 'On the hub\'s machine: `muster token create NAME --role operator --expires 30d`.'),
  'auth.forbidden': entry(403, exitCode.refused, false,
    (p: { operation: string; scope: string; role: string }) =>
      `${p.operation} needs the scope "${p.scope}", which the role ${p.role} does not have.`,
    () => 'Ask for an operator\'s token: `muster token create NAME --role operator` on the hub\'s machine.'),
  'auth.origin': entry(403, exitCode.refused, false,
    (p: { header: string; value: string }) => `The request's ${p.header} "${p.value}" is not one of this hub's own addresses.`,
    () => 'Use the address that the hub printed, or start it with `--allow-host NAME`.'),

  'http.method': entry(405, exitCode.usage, false,
    (p: { method: string; path: string; allowed: string }) => `${p.path} does not answer ${p.method}, but ${p.allowed}.`,
    () => 'docs/api.md and /api/v1/openapi.json list what each path answers.'),
  'http.body_too_large': entry(413, exitCode.usage, false,
    (p: { limit: number }) => `The request's JSON body is larger than ${p.limit} bytes.`,
    () => 'Send large data with an operation that takes a byte stream.'),
  'http.media_type': entry(415, exitCode.usage, false,
    (p: { given: string; wanted: string }) => `The request's body is ${p.given}; ${p.wanted} is wanted here.`,
    (p) => `Send it with the header "Content-Type: ${p.wanted}".`),
  'http.range': entry(416, exitCode.usage, false,
    (p: { offset: number }) => `There are no bytes at offset ${p.offset} yet.`,
    () => 'Ask from an earlier offset, or with follow=true to wait for more.'),

  'http.tls_wanted': entry(426, exitCode.usage, false,
    () => 'This port speaks TLS, and the request came without it.',
    () => 'Use https:// in the place of http://, and wss:// in the place of ws://.'),

  'enroll.token_used': entry(401, exitCode.refused, false,
    (p: { host: string }) => `The token of ${p.host} is of no use here: another key has joined as that host.`,
    (p) => `For a host of its own: \`muster node enroll NAME\` on the hub. If this is ${p.host}, set up anew: \`muster host remove ${p.host}\` first.`),
  'enroll.token_invalid': entry(401, exitCode.refused, false,
    () => 'The enrolment token is malformed, unknown, replaced or revoked.',
    () => 'On the hub: `muster host token NAME` prints another for a host that is there, `muster node enroll NAME` one for a new host.'),
  'enroll.token_wanted': entry(401, exitCode.refused, false,
    (p: { hubUrl: string }) => `This machine has not joined a hub at ${p.hubUrl}, and no token was given.`,
    (p) => `Ask it to let this machine in: \`muster node join ${p.hubUrl}\`; or give the token that \`muster node enroll NAME\` printed on the hub, with --token-stdin.`),
  'enroll.hub_key': entry(401, exitCode.refused, false,
    (p: { expected: string; actual: string }) => `The hub proved the key ${p.actual}, but ${p.expected} was expected.`,
    () => 'Do not send it a token: check the address, or enrol again if the hub was set up anew.'),
  'node.unknown': entry(401, exitCode.refused, false,
    () => 'The hub does not know this node\'s key, or has removed it.',
    () => 'Ask to be let in again: `muster node join HUB_URL` here; or on the hub `muster node enroll NAME` prints the command that joins it.'),
  'node.token_replaced': entry(401, exitCode.refused, false,
    () => 'The token of this host was replaced at the hub: its key counts again once it has shown the new one.',
    () => 'Start the node with the token that `muster host token NAME` printed on the hub: `muster node --hub wss://HUB:7878 --token-stdin < token-file`.'),

  'node.certificate_missing': entry(401, exitCode.refused, false,
    (p: { host: string }) => `${p.host} has a certificate of this hub, and this connection shows none.`,
    (p) => `If it was lost: \`muster host token ${p.host}\` on the hub, then start the node with the new token. If TLS ends before the hub now: docs/tls.md.`),
  'node.certificate_refused': entry(401, exitCode.refused, false,
    (p: { host: string; problem: string }) => `The certificate that was shown for ${p.host} does not count: ${p.problem}.`,
    (p) => `\`muster host token ${p.host}\` on the hub takes back what it was given; then start the node with the new token.`),
  'certificate.request': entry(400, exitCode.refused, false,
    (p: { problem: string }) => `The node's signing request cannot be answered: ${p.problem}.`,
    () => 'Compare versions with `muster doctor`: the node may be older.'),
  'authority.none': entry(404, exitCode.notFound, false,
    () => 'This hub has no authority: it does not end TLS itself.',
    () => 'Start it with `muster hub serve --tls`: docs/tls.md.'),
  'node.not_joined': entry(404, exitCode.notFound, false,
    (p: { hubUrl?: string }) => p.hubUrl === undefined ? 'This machine has joined no hub.' : `This machine has not joined a hub at ${p.hubUrl}.`,
    () => 'Ask one to let it in: `muster node join HUB_URL`.'),

  'pairing.code_wrong': entry(403, exitCode.refused, false,
    () => 'No machine that waits here shows this code.',
    () => 'Look again at the screen of the machine; `muster pairing list` shows who waits. If the code is right, somebody may stand between the two: approve nothing.'),
  'pairing.locked': entry(429, exitCode.refused, false,
    (p: { seconds: number }) => `Too many wrong codes were typed: for ${p.seconds} s this hub takes none.`,
    () => 'Wait, then type the code that the machine shows; `muster pairing list` shows whether it still waits.'),
  'pairing.decided': entry(409, exitCode.conflict, false,
    (p: { how: string }) => `That machine ${p.how}.`,
    () => '`muster host list` shows who was let in; `muster node join HUB_URL` on a machine asks anew.'),
  'pairing.not_asked': entry(400, exitCode.usage, false,
    (p: { name: string; asks: string; given: string }) => `${p.name} asks for ${p.asks}, and not for ${p.given}.`,
    (p) => `Grant what it asks for, or less; its own machine asks for more with \`muster node join HUB_URL --allow ${p.given}\`.`),
  'pairing.no_upgrade': entry(404, exitCode.notFound, false,
    (p: { host: string }) => `${p.host} asks for nothing beyond what was approved.`,
    () => '`muster pairing list` shows who asks for what.'),
  'pairing.crowded': entry(503, exitCode.unavailable, true,
    (p: { problem: string }) => `The hub lets nobody else ask now: ${p.problem}.`,
    () => 'Try again in a minute; on the hub `muster pairing list` shows who waits, and `muster pairing reject ID` turns them away.'),
  'pairing.rejected': entry(403, exitCode.refused, false,
    () => 'This machine was turned away at the hub.',
    () => 'Ask whoever runs the hub; `muster node join HUB_URL` asks anew.'),
  'pairing.expired': entry(504, exitCode.deadline, false,
    (p: { minutes: number }) => `Nobody approved this machine within ${p.minutes} minutes.`,
    () => 'Run `muster node join HUB_URL` again, and type the new code at the hub: `muster pairing approve CODE`.'),
  'pairing.void': entry(403, exitCode.refused, false,
    (p: { tries: number }) => `${p.tries} wrong codes were typed at the hub, so that this machine's code counts no longer.`,
    () => 'Run `muster node join HUB_URL` again, and type the new code at the hub: `muster pairing approve CODE`.'),

  'ssh.no_client': entry(500, exitCode.environment, false,
    () => 'There is no program `ssh` on the hub\'s machine.',
    () => 'Install OpenSSH\'s client there (Debian, Ubuntu: `apt-get install openssh-client`).'),
  'ssh.host_key_unknown': entry(502, exitCode.refused, false,
    (p: { destination: string; command: string }) => `ssh on the hub's machine does not know the host key of ${p.destination}, or of a host on the way to it.`,
    (p) => `Connect once by hand, as the hub's account, and compare the key that it shows: \`${p.command}\`.`),
  'ssh.host_key_changed': entry(502, exitCode.refused, false,
    (p: { host: string; command: string }) => `The host key of ${p.host} is not the one that ssh on the hub's machine knows.`,
    (p) => `Find out why before you trust it: another machine may answer there. If it was set up anew: \`${p.command}\`, then connect once by hand.`),
  'ssh.refused': entry(502, exitCode.refused, false,
    (p: { destination: string; problem: string; command: string }) => `${p.destination} did not let the hub in by ssh: ${p.problem}.`,
    (p) => `A hub cannot be asked for a password, and types none: give its account a key or an agent with which \`${p.command}\` works.`),
  'ssh.unreachable': entry(503, exitCode.unavailable, true,
    (p: { destination: string; problem: string }) => `${p.destination} cannot be reached by ssh: ${p.problem}.`,
    () => 'Check address, port, network and that its ssh server runs; the hub tries again by itself.'),
  'ssh.config': entry(500, exitCode.environment, false,
    (p: { problem: string }) => `ssh on the hub's machine does not accept its configuration: ${p.problem}.`,
    () => 'Mend the file that it names; `ssh -G HOST` reads it without connecting.'),
  'ssh.failed': entry(503, exitCode.unavailable, true,
    (p: { destination: string; problem: string; command: string }) => `ssh to ${p.destination} ended before Muster answered there: ${p.problem}.`,
    (p) => `Try it by hand, as the hub's account: \`${p.command}\`.`),
  'ssh.muster_missing': entry(502, exitCode.environment, false,
    (p: { destination: string; command: string; problem: string }) => `${p.destination} has no command \`${p.command}\` for a login without a terminal: ${p.problem}.`,
    () => 'Install Muster there (README.md, "Install"), or name the program whole: `--remote-command /path/to/muster`.'),
  'ssh.muster_old': entry(502, exitCode.environment, false,
    (p: { destination: string; problem: string }) => `The Muster on ${p.destination} is too old to be reached by ssh: ${p.problem}.`,
    () => 'Install the hub\'s version there (README.md, "Install"); its runs go on meanwhile.'),
  'ssh.node_old': entry(502, exitCode.environment, false,
    (p: { destination: string; problem: string }) => `The Node.js on ${p.destination} is too old: ${p.problem}.`,
    () => 'Bring a newer one there (`npm install --global node@24`), or name one: `--remote-command "/path/to/node /path/to/muster"`.'),
  'ssh.noise': entry(502, exitCode.environment, false,
    (p: { destination: string; line: string }) => `${p.destination} answered with something else than Muster: ${p.line}`,
    () => 'A shell profile there prints to every login, or another program answers: see with `ssh HOST true`, and let it print only to terminals.'),
  'ssh.far_side': entry(503, exitCode.unavailable, true,
    (p: { destination: string; problem: string; hint: string }) => `Muster on ${p.destination} could not be joined: ${p.problem}.`,
    (p) => p.hint),
  'ssh.other_machine': entry(502, exitCode.refused, false,
    (p: { destination: string }) => `${p.destination} leads to another Muster home than before: another machine, or one that was set up anew.`,
    () => 'Its runs are not those that this hub knows: `muster host remove HOST`, then add it again.'),
  'attach.home_taken': entry(409, exitCode.conflict, true,
    (p: { path: string; by: string }) => `${p.path} is in use by ${p.by}, which cannot be joined.`,
    () => 'Give this host a home of its own: `--remote-command "MUSTER_HOME=~/.muster-node muster"`.'),

  'bucket.unavailable': entry(503, exitCode.unavailable, true,
    (p: { bucket: string; problem: string }) => `The bucket ${p.bucket} cannot be used: ${p.problem}.`,
    () => 'Check its name, the credentials of this account and what they allow (docs/connectors/bucket.md); what was begun goes on by itself.'),
  'bucket.unsafe': entry(501, exitCode.environment, false,
    (p: { bucket: string }) => `The store of ${p.bucket} lets an object be made twice, so that two workers could carry out one job.`,
    () => 'Use a store that honours "If-None-Match: *"; docs/connectors/bucket.md names some.'),
  'bucket.token_invalid': entry(401, exitCode.refused, false,
    () => 'This machine has not joined that bucket, or the token is not one that a hub printed.',
    () => 'Give the token that `muster host add` printed on the hub; where it is lost, remove the host there and add it anew.'),
  'bucket.version': entry(501, exitCode.environment, false,
    () => 'What this machine has told its hub last was written by a Muster of another protocol version.',
    () => 'Start that version again, or join with another MUSTER_HOME: the runs of this one are then told of no more.'),
  'host.deferred': entry(409, exitCode.refused, false,
    (p: { host: string; operation: string }) => `${p.operation} needs a live connection, and host ${p.host} is reached through a bucket.`,
    () => 'Start and end runs, and read what they have written; for more, reach that host another way (docs/connectors.md).'),

  'wire.protocol': entry(400, exitCode.unavailable, false,
    (p: { problem: string }) => `The other side broke the protocol: ${p.problem}.`,
    () => 'Compare versions with `muster doctor`; docs/protocol.md has the rule.'),
  'wire.version': entry(426, exitCode.unavailable, false,
    (p: { role: string; ours: string; theirs: string; older: string }) =>
      `No common protocol version: the ${p.role} speaks ${p.ours}, its other side ${p.theirs}.`,
    (p) => `The older is ${p.older}: upgrade Muster there; docs/protocol.md says what the versions are.`),
  'wire.proof': entry(401, exitCode.refused, false,
    (p: { problem: string }) => `The other side could not prove its key: ${p.problem}.`,
    () => 'Check the address; if the machine was set up anew, enrol it again with `muster node enroll NAME`.'),
  'wire.too_large': entry(413, exitCode.usage, false,
    (p: { bytes: number; limit: number }) => `A message of ${p.bytes} bytes is larger than the limit of ${p.limit}.`,
    () => 'Send large data as a stream.'),
  'wire.closed': entry(503, exitCode.unavailable, true,
    (p: { reason: string }) => `The connection closed before the answer came: ${p.reason}.`,
    () => 'The work may have been started: look with `muster run list` before you repeat it, or repeat it with the same key.'),
  'wire.overloaded': entry(503, exitCode.unavailable, true,
    (p: { pending: number }) => `The other side has ${p.pending} calls in flight and takes no more.`,
    () => 'Try again in a moment.'),

  'call.cancelled': entry(499, exitCode.interrupted, false,
    () => 'The call was cancelled by its caller.',
    () => 'Start it again if that was not meant.'),
  'call.deadline': entry(504, exitCode.deadline, true,
    (p: { operation: string; ms: number }) => `${p.operation} did not end within ${p.ms} ms.`,
    () => 'Look at the host with `muster host show HOST`, or allow more time.'),

  'hub.not_running': entry(503, exitCode.unavailable, true,
    (p: { where: string }) => `No hub answers at ${p.where}.`,
    () => 'Start one with `muster up` or `muster hub start`, or set MUSTER_HUB to another hub\'s URL.'),
  'hub.running': entry(409, exitCode.conflict, false,
    (p: { url: string; pid: number }) => `A hub is already running on this home, at ${p.url} (pid ${p.pid}).`,
    () => 'Use it as it is (`muster host list`), or stop it first with `muster hub stop`.'),
  'hub.bind_needs_token': entry(400, exitCode.refused, false,
    (p: { address: string }) => `${p.address} can be reached from other machines, and no token was given.`,
    () => 'Pass one: `muster hub serve --bind ADDR:PORT --token-stdin < token-file`.'),
  'hub.bind_failed': entry(500, exitCode.environment, false,
    (p: { address: string; problem: string }) => `The hub cannot listen on ${p.address}: ${p.problem}.`,
    () => 'Choose another with `--bind 127.0.0.1:PORT`; port 0 takes a free one.'),
  'hub.loop': entry(508, exitCode.usage, false,
    (p: { hub: string }) => `The call came back to the hub ${p.hub} that it had already passed.`,
    () => 'Remove the host record that leads back: `muster host list` shows where each one leads.'),
  'hub.one_hop': entry(403, exitCode.refused, false,
    (p: { operation: string; asked: string }) =>
      `Another hub asked for ${p.operation} of ${p.asked}; to other hubs this one answers for its own machine only.`,
    () => 'Add that host to your own hub, in the way in which it can be reached from there.'),
  'hub.read_only': entry(403, exitCode.refused, false,
    (p: { operation: string }) => `This hub is served for reading only, and ${p.operation} changes something.`,
    () => 'Do it on the hub\'s own machine, where everything is allowed, or serve the hub without `--read-only`.'),

  'host.unknown': entry(404, exitCode.notFound, false,
    (p: { host: string }) => `There is no host ${p.host}.`,
    () => '`muster host list` shows the names and ids.'),
  'host.name_taken': entry(409, exitCode.conflict, false,
    (p: { name: string }) => `A host called ${p.name} exists already.`,
    (p) => `Take another name, or remove that one first: \`muster host remove ${p.name}\`.`),
  'host.place_taken': entry(409, exitCode.conflict, false,
    (p: { place: string; host: string }) => `${p.place} is the place of host ${p.host} already, and two hosts there would take each other's objects.`,
    (p) => `Give each a prefix of its own (\`--prefix\`), or remove that one first: \`muster host remove ${p.host}\`.`),
  'host.offline': entry(503, exitCode.unavailable, true,
    (p: { host: string; reason: string }) => `Host ${p.host} cannot be reached: ${p.reason}.`,
    (p) => `\`muster host show ${p.host}\` says since when; add \`--queue\` to wait for it.`),
  'host.token_role': entry(403, exitCode.refused, false,
    (p: { host: string; operation: string }) => `The token that this hub has for ${p.host} does not allow ${p.operation}.`,
    (p) => `Make an operator's token on that machine (\`muster token create NAME --role operator\`) and give it here: \`muster host token ${p.host} --token-stdin\`.`),
  'host.other_hub': entry(409, exitCode.conflict, false,
    (p: { host: string; expected: string; actual: string }) =>
      `Another hub answers for ${p.host}: it is ${p.actual}, and ${p.expected} was there before.`,
    (p) => `If the machine was set up anew, remove ${p.host} and add it again; what is known of its runs is not true of this one.`),
  'host.version': entry(501, exitCode.unavailable, false,
    (p: { host: string; operation: string; theirs: string; ours: string }) =>
      `Host ${p.host} runs Muster ${p.theirs}, which does not know ${p.operation}; this hub runs ${p.ours}.`,
    (p) => `Upgrade Muster on ${p.host}; everything that both know still works.`),
  'host.local_stays': entry(409, exitCode.refused, false,
    () => 'The host local is this hub\'s own machine and cannot be removed.',
    () => '`muster host list` shows the hosts that can.'),
  'host.busy': entry(409, exitCode.conflict, false,
    (p: { host: string; runs: number }) => `Host ${p.host} still has ${p.runs} live run(s).`,
    (p) => `Cancel them (\`muster run list --host ${p.host}\`), or remove it all the same with \`--force\`.`),
  'host.record_corrupt': entry(500, exitCode.environment, false,
    (p: { file: string; problem: string }) => `The host record ${p.file} cannot be read: ${p.problem}.`,
    (p) => `Mend or delete ${p.file}; the other hosts are served meanwhile.`),
  'host.local_fixed': entry(409, exitCode.refused, false,
    () => 'The host local is this hub\'s own machine: it has no record, and keeps its name.',
    () => '`muster host list` shows the hosts that can be changed.'),
  'host.dials_in': entry(400, exitCode.usage, false,
    (p: { kind: string }) => `A ${p.kind} host dials in, so it is enrolled and not added.`,
    () => '`muster node enroll NAME` makes its record and prints the command that joins it.'),
  'secret.keychain': entry(503, exitCode.environment, true,
    (p: { host: string; problem: string }) => `The secret of ${p.host} is in the system's keychain, which cannot be read: ${p.problem}.`,
    (p) => `Unlock the keychain of the account that runs the hub, or give the token once more: \`muster host token ${p.host} --token-stdin\`.`),
  'host.no_token': entry(409, exitCode.refused, false,
    (p: { host: string; way: string }) => `This hub has no token for ${p.host}, which is reached by ${p.way}.`,
    () => 'Only a host that dials in, or one that is reached by its URL, has one: `muster host list` shows how each is reached.'),
  'host.token_wanted': entry(400, exitCode.usage, false,
    (p: { host: string }) => `${p.host} is shown a token by this hub, and no new one was given.`,
    (p) => `Make one on that machine (\`muster token create NAME --role operator\`), then: \`muster host token ${p.host} --token-stdin < token-file\`.`),
  'host.token_missing': entry(400, exitCode.usage, false,
    (p: { host: string }) => `${p.host} is reached by its URL and wants a token, and none was given.`,
    (p) => `Make one on that machine (\`muster token create NAME --role operator\`) and give it by a pipe: \`muster host add ${p.host} --url URL --token-stdin < token-file\`.`),
  'host.token_minted': entry(400, exitCode.usage, false,
    (p: { host: string }) => `${p.host} dials in: its token is made by this hub, and none can be given.`,
    (p) => `\`muster host token ${p.host}\` prints a new one.`),
  'host.not_ready': entry(503, exitCode.unavailable, true,
    () => 'The host is still starting.',
    () => 'Try again in a moment.'),
  'host.stopped': entry(503, exitCode.unavailable, false,
    () => 'The host has been shut down.',
    () => 'Start it again with `muster node` or `muster hub start`.'),

  'policy.denied': entry(403, exitCode.refused, false,
    (p: { command: string }) => `The host does not allow its hub "${p.command}".`,
    (p) => `On that machine: \`muster node expose ${p.command}\`, or start the node with \`--allow ${p.command}\`.`),
  'policy.unreadable': entry(403, exitCode.refused, false,
    (p: { file: string; problem: string }) => `The host refuses everything, since its ${p.file} cannot be read: ${p.problem}.`,
    (p) => `On that machine, correct ${p.file} (docs/policy.md); it counts once saved. \`muster node policy test runs\` says whether it can be read.`),
  'policy.asks': entry(403, exitCode.refused, false,
    (p: { command: string }) => `The host wants a person to be asked about "${p.command}", and that is begun without waiting for anybody.`,
    (p) => p.command.startsWith('file.')
      ? 'Copy with `muster cp`, which has the person asked and waits for the answer; in the API `file.ask` does that.'
      : `On that machine, allow it without asking (\`muster node expose ${p.command}\`), or expose a command that can wait, such as exec.`),
  'policy.not_edited': entry(409, exitCode.conflict, false,
    (p: { file: string; rule: string }) => `${p.file} is written in a way that cannot be edited by command; nothing was changed.`,
    (p) => `Open it in an editor and write there: ${p.rule} (docs/policy.md).`),
  'policy.hub_unknown': entry(404, exitCode.notFound, false,
    (p: { hub: string; known: string }) => `Not exactly one hub that is known here has a key that begins with ${p.hub}; known: ${p.known}.`,
    () => 'Give the whole fingerprint, 32 hexadecimal digits; a hub tells its own at /api/v1/hub.'),

  'host.untrusted': entry(403, exitCode.refused, false,
    (p: { host: string; id: string; command: string }) => `This hub's record of ${p.host} does not trust ${p.host} with "${p.command}".`,
    (p) => `If that is to be, add "${p.command}" to \`allow\` of \`[trust]\` in hosts/${p.id}.toml of the hub's MUSTER_HOME; it counts once saved.`),

  'invoke.not_sent': entry(503, exitCode.unavailable, true,
    (p: { host: string; command: string; reason: string }) => `${p.command} was not sent to ${p.host}: ${p.reason}.`,
    (p) => `Nothing was begun, so it can be repeated; \`muster host show ${p.host}\` says whether the host can be reached.`),
  'invoke.no_answer': entry(502, exitCode.unavailable, false,
    (p: { host: string; command: string; reason: string }) => `${p.command} was sent to ${p.host}, and no answer came: ${p.reason}.`,
    () => 'It may have been carried out: look there first. Given a key, the same again with the same key (`--key`) answers what came of it.'),
  'invoke.conflict': entry(409, exitCode.conflict, false,
    (p: { command: string }) => `Something else than this ${p.command} was invoked with the same key.`,
    () => 'Use another key, or repeat exactly the same request.'),
  'invoke.busy': entry(503, exitCode.unavailable, true,
    (p: { most: number }) => `The host has ${p.most} commands under way and takes no more.`,
    () => 'Try again in a moment; nothing was begun. Work that waits its turn is a run: `muster exec HOST -- COMMAND`.'),
  'invoke.no_hosts': entry(404, exitCode.notFound, false,
    (p: { asked: string }) => `No host is chosen by ${p.asked}.`,
    () => '`muster host list` shows the hosts and their labels.'),
  'command.unknown': entry(404, exitCode.notFound, false,
    (p: { host: string; command: string }) => `${p.host} exposes no command ${p.command} to this hub.`,
    (p) => `\`muster host commands ${p.host}\` shows those that it does.`),
  'command.failed': entry(422, exitCode.workFailed, false,
    (p: { command: string; how: string; stderr: string }) => `${p.command} failed (${p.how})${p.stderr === '' ? '' : `: ${p.stderr}`}.`,
    () => 'Its own words say why; `muster host commands HOST --json` shows what it wants.'),
  'command.result': entry(502, exitCode.workFailed, false,
    (p: { command: string; problem: string }) => `The result of ${p.command} is not what its catalog entry says: ${p.problem}.`,
    () => 'It was carried out. Mend the command, or its `[result]` in MUSTER_HOME/commands on that machine.'),
  'command.timed_out': entry(504, exitCode.deadline, false,
    (p: { command: string; ms: number }) => `${p.command} was stopped at its timeout of ${p.ms} ms.`,
    () => 'Allow more, up to 10m, or start it as a run, which may last: `muster exec HOST -- COMMAND`.'),
  'file.outside': entry(403, exitCode.refused, false,
    (p: { path: string; roots?: string }) =>
      `${p.path} lies in no directory that the host exposes${p.roots ? `; it exposes ${p.roots}` : ''}.`,
    (p) => `On that machine, name its directory in node/policy.toml of its MUSTER_HOME: \`[files]\`, \`roots = ["${directoryOf(p.path)}"]\`. Into MUSTER_HOME no path leads.`),
  'file.changed': entry(409, exitCode.conflict, false,
    (p: { file: string }) => `${p.file} was changed meanwhile.`,
    () => 'Start the copy again once nobody writes there: `muster cp` with the same words begins with the file as it is then.'),
  'file.gap': entry(409, exitCode.conflict, true,
    (p: { file: string; at: number; offset: number }) =>
      `Of ${p.file} ${p.at} bytes have come, and what was sent begins at ${p.offset}.`,
    () => 'Go on where it stands; `muster cp` with the same words does that.'),
  'file.damaged': entry(502, exitCode.unavailable, false,
    (p: { file: string }) => `The bytes that have come for ${p.file} are not those of its source: their SHA-256 is another. Nothing of them was kept.`,
    () => 'Copy it again: `muster cp` with the same words. If that does not help, look at the disks of both machines.'),
  'file.taken_over': entry(409, exitCode.conflict, false,
    (p: { file: string }) => `Another copy of the same source to ${p.file} has begun, and goes on in place of this one.`,
    () => 'Wait for the other one, or end it and copy again.'),
  'file.record': entry(400, exitCode.usage, false,
    (p: { problem: string }) => `What was sent for several files is no list of file records: ${p.problem}.`,
    () => 'docs/protocol.md has their form; compare versions with `muster doctor`.'),
  'file.not_copied': entry(409, exitCode.workFailed, false,
    (p: { place: string; problem: string }) => `${p.place} is not copied: ${p.problem}.`,
    () => 'All else was copied. Set this right and give the same command again: what is there already is not sent twice.'),
  'file.too_large': entry(413, exitCode.usage, false,
    (p: { path: string; bytes: number; limit: number }) => `${p.path} would be ${p.bytes} bytes in one message, and ${p.limit} are the most.`,
    () => 'Read it in parts, with `offset` and `limit`; write larger files with a run: `muster exec HOST -- tee FILE < FILE`.'),

  'tool.handle_unknown': entry(404, exitCode.notFound, false,
    (p: { handle: string }) => `There is no invocation ${p.handle} of yours here: it was never begun, or its result is no longer kept.`,
    () => 'Handles are good for ten minutes after the end, and in the process that gave them; a run\'s id (`muster run list`) is good for longer.'),
  'tool.busy': entry(503, exitCode.unavailable, true,
    (p: { most: number }) => `This client has ${p.most} invocations under way, and no more are taken.`,
    () => 'Let some end first; work that waits its turn is a run: `muster exec HOST -- COMMAND`.'),
  'tool.no_approving': entry(403, exitCode.refused, false,
    (p: { command: string }) => `A model approves nothing: ${p.command} is for people.`,
    () => 'The person approves: `muster approval list` shows what waits.'),
  'tool.outside': entry(403, exitCode.refused, false,
    (p: { path: string; roots: string }) =>
      `${p.path} lies in no directory of this machine that the tools were given; ${p.roots ? `they were given ${p.roots}` : 'they were given none'}.`,
    (p) => `Have the model's client start them with that directory: \`muster mcp --root ${directoryOf(p.path)}\`.`),
  'tool.not_kept': entry(400, exitCode.usage, false,
    (p: { command: string }) => `${p.command} cannot go on by itself: only exec becomes a run.`,
    () => 'Leave keep out and wait by the handle, or do it with exec: `muster exec HOST -- COMMAND`.'),

  'run.unknown': entry(404, exitCode.notFound, false,
    (p: { run: string }) => `There is no run ${p.run}.`,
    () => '`muster run list` shows the runs.'),
  'run.conflict': entry(409, exitCode.conflict, false,
    (p: { run: string }) => `A run ${p.run} exists already, with another spec.`,
    () => 'Use another key or id, or repeat the call with exactly the same spec.'),
  'run.ended': entry(409, exitCode.conflict, false,
    (p: { run: string; state: string }) => `Run ${p.run} has already ended (${p.state}).`,
    (p) => `See it with \`muster run show ${p.run}\`.`),
  'run.transition': entry(409, exitCode.conflict, false,
    (p: { run: string; from: string; to: string }) => `Run ${p.run} is ${p.from} and cannot become ${p.to}.`,
    (p) => `See it with \`muster run show ${p.run}\`.`),
  'run.cannot_pause': entry(422, exitCode.refused, false,
    (p: { run: string; kind: string }) => `Run ${p.run} is a ${p.kind}, and only a command can be paused.`,
    (p) => `Pause its units (\`muster run list --parent ${p.run}\`), or end it with \`muster run cancel ${p.run}\`.`),
  'run.kind_unsupported': entry(422, exitCode.refused, false,
    (p: { host: string; kind: string }) => `Host ${p.host} cannot carry a run of kind ${p.kind}.`,
    () => 'Workflows are carried by the hub\'s own host: leave `--host` to name where its steps run.'),
  'run.spawn_failed': entry(422, exitCode.workFailed, false,
    (p: { program: string; problem: string }) => `${p.program} could not be started: ${p.problem}.`,
    () => 'Check the program\'s name, the working directory and their permissions on that host.'),
  'run.lost': entry(500, exitCode.workFailed, false,
    (p: { run: string }) => `Run ${p.run} is gone and left no exit record: its machine was restarted, or its keeper was killed.`,
    (p) => `Read what it wrote with \`muster run logs ${p.run}\` before you start it again.`),
  'run.disk_full': entry(500, exitCode.workFailed, false,
    (p: { run: string; dir: string }) => `The disk of ${p.dir} was full while run ${p.run} went on: output of it may be missing.`,
    (p) => `Free some on its host (\`df -h ${p.dir}\`) before you start it again; \`muster run logs ${p.run}\` has what was kept.`),
  'run.timed_out': entry(504, exitCode.deadline, false,
    (p: { run: string; ms: number }) => `Run ${p.run} was stopped at its timeout of ${p.ms} ms.`,
    () => 'Allow more with `--timeout`.'),
  'run.stdin_closed': entry(409, exitCode.conflict, false,
    (p: { run: string }) => `Run ${p.run} takes no standard input.`,
    () => 'Start it with standard input open: pipe into `muster exec`.'),
  'run.stdin_gap': entry(409, exitCode.conflict, true,
    (p: { expected: number; offset: number }) => `Standard input continues at byte ${p.expected}, not at ${p.offset}.`,
    (p) => `Send from byte ${p.expected} on.`),
  'run.expired': entry(504, exitCode.deadline, false,
    (p: { run: string; host: string }) => `Run ${p.run} waited too long for ${p.host} and was given up.`,
    (p) => `Bring ${p.host} back, then submit it again.`),
  'artifact.unknown': entry(404, exitCode.notFound, false,
    (p: { run: string; name: string }) => `Run ${p.run} has no artifact ${p.name}.`,
    (p) => `\`muster run artifacts ${p.run}\` lists those that it has, and why others were not kept; they are collected at its end.`),
  'artifact.not_here': entry(503, exitCode.unavailable, true,
    (p: { run: string; name: string }) => `The artifact ${p.name} of run ${p.run} has not been copied here yet.`,
    (p) => `It comes by itself while its host can be reached (\`muster host list\`); \`muster run artifacts ${p.run}\` says which are here.`),
  'artifact.damaged': entry(502, exitCode.unavailable, false,
    (p: { run: string; name: string }) => `The bytes of artifact ${p.name} of run ${p.run} are not those that were kept: their SHA-256 is another.`,
    (p) => `Fetch it again: \`muster run artifacts ${p.run} --into DIR\`. If that does not help, its file was damaged on its host.`),
  'run.unreadable': entry(500, exitCode.internal, false,
    (p: { run: string; problem: string }) => `What run ${p.run} was to do cannot be read from the hub's store: ${p.problem}.`,
    () => 'Something else has changed or damaged the store: check the disk, then submit the run again.'),

  'claim.lost': entry(409, exitCode.conflict, false,
    (p: { run: string }) => `The claim on ${p.run} has been given to another worker.`,
    () => 'Drop the work: its result will not be taken.'),

  'approval.unknown': entry(404, exitCode.notFound, false,
    (p: { approval: string }) => `There is no approval ${p.approval}.`,
    () => '`muster approval list` shows what waits for an answer; with `--all` also what is over.'),
  'approval.resolved': entry(409, exitCode.conflict, false,
    (p: { approval: string; state: string }) => `Approval ${p.approval} takes no answer any more: it is over (${p.state}).`,
    (p) => `\`muster approval show ${p.approval}\` says what became of it.`),
  'approval.changed': entry(409, exitCode.conflict, false,
    (p: { what: string }) => `${p.what} is not what was shown for approval.`,
    () => 'Nothing was run. Look at it again with `muster approval list`, or invoke the command anew to be asked about what is there now.'),
  'approval.no_session': entry(422, exitCode.usage, false,
    (p: { approval: string }) => `Approval ${p.approval} was not asked in a session, so there is none to approve it for.`,
    (p) => `Approve this one alone: \`muster approval approve ${p.approval}\`.`),
  'approval.too_many': entry(429, exitCode.unavailable, true,
    (p: { pending: number }) => `The host has ${p.pending} questions that wait for an answer of this hub, and asks no more.`,
    () => 'Answer some: `muster approval list` on the hub shows them.'),
  'approval.too_often': entry(429, exitCode.unavailable, true,
    (p: { anHour: number; of: 'asker' | 'hub' }) => `The host has asked ${p.anHour} questions for this ${p.of} within an hour, and asks no more.`,
    () => 'Wait, or have a session approved for what is repeated: `muster approval approve ID --session`.'),
  'approval.too_large': entry(422, exitCode.usage, false,
    (p: { characters: number; most: number }) => `What would run has ${p.characters} characters; more than ${p.most} cannot be shown for approval.`,
    () => 'Bring what is large to the host first, as a file, and name it in the parameters.'),
  'approval.denied': entry(403, exitCode.refused, false,
    (p: { command: string; by: string; reason: string }) => `${p.by} did not approve ${p.command}: ${p.reason}.`,
    () => 'Nothing was run. Talk to who has denied it before you ask again.'),
  'approval.timeout': entry(504, exitCode.deadline, true,
    (p: { command: string; minutes: number }) => `Nobody answered within ${p.minutes} minutes whether ${p.command} may run.`,
    () => 'Nothing was run. Ask again when somebody is there: on the hub, `muster approval list` shows it and `muster approval approve ID` answers.'),
  'approval.unavailable': entry(503, exitCode.unavailable, true,
    (p: { command: string; problem: string }) => `Nobody could be asked whether ${p.command} may run: ${p.problem}.`,
    () => 'Nothing was run, and nobody has refused it. See that the hub runs and reaches the host (`muster host list`), then ask again.'),
  'approval.own': entry(403, exitCode.refused, false,
    (p: { approval: string }) => `Approval ${p.approval} waits for who asks this, or for somebody whom this hub does not know: no command answers it.`,
    (p) => `A person does: \`muster approval approve ${p.approval}\`.`),
  'approval.link_invalid': entry(403, exitCode.refused, false,
    () => 'This link was not made by this hub, or was altered, or its time is over.',
    () => 'Make another with `muster approval link ID`, while the approval still waits.'),
  'approval.link_used': entry(410, exitCode.conflict, false,
    () => 'This link has been used: it answers once.',
    () => '`muster approval list --all` shows what became of the approval.'),

  'proc.unknown': entry(404, exitCode.notFound, false,
    (p: { proc: string }) => `There is no proc ${p.proc} on this host.`,
    () => 'List them with the operation proc.list.'),
  'proc.conflict': entry(409, exitCode.conflict, false,
    (p: { proc: string }) => `A proc ${p.proc} is live with another spec.`,
    () => 'Stop it first, or take another name.'),
  'proc.not_ready': entry(504, exitCode.deadline, false,
    (p: { proc: string; ms: number; stderr: string }) =>
      `Proc ${p.proc} did not call back within ${p.ms} ms${p.stderr === '' ? '' : `; it last wrote: ${p.stderr.trim()}`}.`,
    () => 'Its standard error may say why: `proc.state` has the tail.'),
  'proc.ended': entry(410, exitCode.workFailed, false,
    (p: { proc: string; how: string }) => `Proc ${p.proc} ended (${p.how}) before it answered.`,
    () => 'Read the tail of its standard error, then apply it again.'),
  'proc.keeper': entry(500, exitCode.environment, true,
    (p: { problem: string }) => `The host's process keeper cannot be used: ${p.problem}.`,
    () => 'Read keeper.log in the host\'s home, and run `muster doctor`.'),

  'workflow.invalid': entry(422, exitCode.usage, false,
    (p: { file: string; line: number; column: number; problem: string; fix: string }) =>
      `${p.file}:${p.line}:${p.column}: ${p.problem}.`,
    (p) => p.fix),
  'workflow.input': entry(422, exitCode.usage, false,
    (p: { input: string; problem: string; fix: string }) => `The input ${p.input} ${p.problem}.`,
    (p) => p.fix),
  'workflow.expression': entry(422, exitCode.workFailed, false,
    (p: { step: string; field: string; problem: string }) => `Step ${p.step}: ${p.field} cannot be evaluated: ${p.problem}.`,
    () => 'See docs/workflows.md, "Values and expressions".'),
  'workflow.step_failed': entry(422, exitCode.workFailed, false,
    (p: { step: string; reason: string; fix: string }) => `Step ${p.step} failed: ${p.reason}.`,
    (p) => p.fix),

  'token.unknown': entry(404, exitCode.notFound, false,
    (p: { token: string }) => `There is no token ${p.token}.`,
    () => '`muster token list` shows them.'),
  'token.ambiguous': entry(409, exitCode.conflict, false,
    (p: { name: string; ids: string; first: string }) => `More than one token is called ${p.name}: ${p.ids}.`,
    (p) => `Name the one that you mean by its id: \`muster token revoke ${p.first}\`.`),
  'token.exceeds': entry(403, exitCode.refused, false,
    (p: { problem: string }) => `A token can do no more, and live no longer, than who mints it: ${p.problem}.`,
    () => 'Ask for less, or mint it on the hub\'s own machine: `muster token create NAME --role viewer`.'),

  'audit.none': entry(404, exitCode.notFound, false,
    (p: { file: string }) => `There is no audit log of a host here: ${p.file} holds none.`,
    () => 'Give the home of the node, as in `MUSTER_HOME=/home/ci/.muster muster node audit list`; the hub\'s own log is `muster audit list`.'),
  'store.unavailable': entry(503, exitCode.environment, true,
    (p: { problem: string; file?: string }) => `${p.file ?? 'The store'} cannot be written: ${p.problem}.`,
    (p) => `${p.file === undefined ? 'Mend the database connection' : `Look at the room there with \`df -h ${p.file}\`, and free some`}; `
      + 'nothing that was acknowledged is lost, and it goes on by itself.'),
  'store.newer': entry(500, exitCode.environment, false,
    (p: { found: string }) => `The database was written by a newer Muster (migration ${p.found}).`,
    () => 'Upgrade this Muster; it does not change what it does not understand.'),
  'home.locked': entry(409, exitCode.conflict, false,
    (p: { path: string }) => `Another Muster process is using ${p.path}.`,
    () => 'Stop it, or use another MUSTER_HOME.'),
  'home.unusable': entry(500, exitCode.environment, false,
    (p: { path: string; problem: string }) => `${p.path} cannot be used: ${p.problem}.`,
    () => 'Mend that, or set MUSTER_HOME to a directory of your own on a disk that can be written; `muster doctor` checks it.'),
  'process.descriptors': entry(503, exitCode.environment, true,
    (p: { problem: string }) => `This process has as many files and connections open as the system lets it: ${p.problem}.`,
    () => 'Close some, or raise the limit where it is started: `ulimit -n 65536`; `muster doctor` shows what it is.'),
  'link.insecure': entry(400, exitCode.refused, false,
    (p: { url: string }) => `${p.url} would send credentials and commands in the clear beyond this machine.`,
    () => 'Use https:// or wss://, or accept the risk with `--insecure` (MUSTER_INSECURE=1 for a command that speaks to a hub).'),
  'link.certificate': entry(502, exitCode.refused, false,
    (p: { where: string; problem: string }) => `The certificate of ${p.where} is not trusted, and nothing was sent: ${p.problem}.`,
    () => 'Check the address. For a private authority name its file with `--ca-file`, for one key pin it with `--pin`: docs/connectors/http.md.'),
  'link.tls': entry(502, exitCode.unavailable, false,
    (p: { where: string; problem: string }) => `No TLS connection to ${p.where}: ${p.problem}.`,
    () => 'Check the port, and whether https:// is what is served there.'),
  'cli.usage': entry(400, exitCode.usage, false,
    (p: { problem: string; hint: string }) => p.problem,
    (p) => p.hint),
  'output.changed': entry(409, exitCode.conflict, true,
    (p: { run: string }) => `The chunks of run ${p.run}'s output are not those that were copied.`,
    () => 'Copy it again from the beginning: its host lost power, and numbers what it kept anew.'),
  'events.ahead': entry(409, exitCode.conflict, false,
    (p: { after: number; last: number }) => `There is no event ${p.after} here: the newest is ${p.last}.`,
    () => 'The number came from another hub, or from this one before it was set up anew: read from the beginning, `muster events --after 0`.'),
  'output.late': entry(503, exitCode.unavailable, true,
    (p: { run: string; host: string }) => `Run ${p.run} has ended, and the rest of its output has not come from ${p.host} yet.`,
    (p) => `Wait for it with \`muster run logs -f ${p.run}\`; \`muster host show ${p.host}\` says whether the host can be reached.`),
  'file.unreadable': entry(400, exitCode.environment, false,
    (p: { file: string; problem: string }) => `${p.file} cannot be read: ${p.problem}.`,
    () => 'Check the path, its permissions and what is written there.'),
  'file.exists': entry(409, exitCode.conflict, false,
    (p: { file: string; others: number }) => `${p.file} exists already${p.others === 0 ? '' : p.others === 1 ? ', and so does another' : `, and so do ${p.others} others`}.`,
    () => 'Nothing was written: name another directory, or replace what is there with `--force`.'),
  'file.unwritable': entry(400, exitCode.environment, false,
    (p: { file: string; problem: string }) => `${p.file} cannot be written: ${p.problem}.`,
    () => 'Name a file in a directory that exists and that you may write to.'),
  'hub.stuck': entry(504, exitCode.deadline, true,
    (p: { pid: number; doing: string; ms: number }) => `The hub (pid ${p.pid}) did not ${p.doing} within ${p.ms} ms.`,
    () => 'Its log says why: hub/hub.log in MUSTER_HOME; `muster doctor` checks the rest.'),
} as const

export type ErrorCode = keyof typeof catalogue
/** Of a path as it was asked for, for a hint. */
function directoryOf(path: string): string {
  const end = path.replace(/\/+$/, '').lastIndexOf('/')
  return path.startsWith('/') && end > 0 ? path.slice(0, end) : '/DIRECTORY'
}

type Params<C extends ErrorCode> = Parameters<(typeof catalogue)[C]['sentence']>[0]

/** What an error looks like outside this process: on the wire, in HTTP problem details, in events. */
export interface ErrorValue {
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly retryable: boolean
}

/** An error as a value: a dotted code, one sentence, and a hint that names the next command. */
export class MusterError extends Error {
  override readonly name = 'MusterError'
  readonly code: string
  readonly hint: string
  readonly retryable: boolean
  readonly status: number
  readonly exit: number

  constructor(value: ErrorValue, options?: ErrorOptions) {
    super(value.message, options)
    const known: Entry<never> | undefined = catalogue[value.code as ErrorCode]
    this.code = value.code
    this.hint = value.hint
    this.retryable = value.retryable
    this.status = known?.status ?? 500
    this.exit = known?.exit ?? exitCode.internal
  }

  /** The same error for the other side. */
  toValue(): ErrorValue {
    return { code: this.code, message: this.message, hint: this.hint, retryable: this.retryable }
  }
}

/** Makes the catalogue's error; throw it, or keep it as a value. */
export function failure<C extends ErrorCode>(
  code: C,
  ...[params, options]: undefined extends Params<C> ? [] : [params: Params<C>, options?: ErrorOptions]
): MusterError {
  const known = catalogue[code] as unknown as Entry<unknown>
  const value = { code, message: known.sentence(params), hint: known.hint(params), retryable: known.retryable }
  return new MusterError(value, options)
}

/**
 * Any thrown thing as a MusterError: ours as it is; what any file, socket or process may meet anywhere (no file descriptor, no
 * room) as that; the rest as `internal`. Keeps the cause.
 */
export function asMusterError(thrown: unknown): MusterError {
  if (thrown instanceof MusterError) return thrown
  if (isOutOfDescriptors(thrown)) return failure('process.descriptors', { problem: thrown.message }, { cause: thrown })
  if (isUnwritable(thrown)) {
    return failure('store.unavailable', { file: thrown.path ?? 'A file', problem: describeFileProblem(thrown) }, { cause: thrown })
  }
  const problem = thrown instanceof Error ? thrown.message : String(thrown)
  return failure('internal', { problem }, { cause: thrown })
}

export function isOutOfDescriptors(thrown: unknown): thrown is Error {
  return hasSystemCode(thrown, ['EMFILE', 'ENFILE'])
}

function isUnwritable(thrown: unknown): thrown is Error & { path?: string } {
  return hasSystemCode(thrown, ['ENOSPC', 'EDQUOT', 'EROFS'])
}

function hasSystemCode(thrown: unknown, codes: readonly string[]): thrown is Error {
  return thrown instanceof Error && 'code' in thrown && codes.includes(String(thrown.code))
}

export function hasCode(thrown: unknown, code: ErrorCode): thrown is MusterError {
  return thrown instanceof MusterError && thrown.code === code
}
