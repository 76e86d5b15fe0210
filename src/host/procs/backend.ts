// The host's back door: the unix socket that procs dial. All that may be asked there is to be taken for a proc, with its secret.

import { failure } from '../../contract/errors.ts'
import { implement, implementation, type Principal } from '../../contract/implementation.ts'
import { listenUnix } from '../../wire/channels/unix.ts'
import { createPeer, type Peer } from '../../wire/peer.ts'
import { readyProc } from './message.ts'

/** Until it has called back, whoever dials is nobody. */
const somebody: Principal = { kind: 'proc', id: 'unproven', role: 'proc', scopes: new Set(['read']) }

export type OnReady = (claim: { proc: string; secret: string }, peer: Peer) => void

/** Listens until it is disposed of, which closes the procs' channels too: they dial again. `onReady` throws to refuse. */
export async function openBackend(path: string, onReady: OnReady): Promise<AsyncDisposable> {
  const peers = new Set<Peer>()
  const listener = await listenUnix(path, (channel) => {
    const ready = implement(readyProc, async (claim) => {
      onReady(claim, peer)
      return {}
    })
    const peer: Peer = createPeer(channel, { offers: implementation(ready), principal: somebody, name: 'proc' })
    peers.add(peer)
    void peer.closed.then(() => peers.delete(peer))
  })
  return {
    async [Symbol.asyncDispose]() {
      await listener.close()
      for (const peer of peers) peer.close(failure('host.stopped'))
    },
  }
}
