// Peers' packages are in bench/package.json, which `npm run bench` alone installs: they are loaded when they are there, and the
// types that we need of them are told here by who uses them.

/** Undefined where the package is not installed. */
export async function loadPeer<Api>(name: string): Promise<Api | undefined> {
  try {
    return (await import(name)) as Api
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}
