// The system's keychain (Secret Service, macOS Keychain, Windows Credential Manager), through an optional package.
// Every call may reject: no session bus, locked, package absent. Used by secrets.ts, which then has another place.

const service = 'muster'
/** A locked keychain may wait for somebody to answer its window; a hub has no screen. */
const deadlineMs = 5_000

export interface Keychain {
  /** Undefined where it has no such entry. */
  read(account: string): Promise<string | undefined>
  save(account: string, secret: string): Promise<void>
  remove(account: string): Promise<void>
}

export function systemKeychain(): Keychain {
  return {
    read: async (account) => (await within((await entryOf(account)).getPassword())) ?? undefined,
    save: async (account, secret) => within((await entryOf(account)).setPassword(secret)),
    remove: async (account) => void (await within((await entryOf(account)).deletePassword())),
  }
}

async function entryOf(account: string) {
  if (process.env.MUSTER_KEYCHAIN === 'off') throw new Error('MUSTER_KEYCHAIN is off')
  const { AsyncEntry } = await import('@napi-rs/keyring')
  // Without a Secret Service the package would take the kernel's keyring, which forgets everything when the machine restarts.
  return new AsyncEntry(service, account, { linux: { store: 'secret-service' } })
}

async function within<T>(asked: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`it did not answer within ${deadlineMs} ms`)), deadlineMs)
  try {
    return await Promise.race([asked, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
