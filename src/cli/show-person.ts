// Somebody as people read him: his id, which is what counts, and the name of his token where this hub knows it.

export function showPerson(id: string, name: string | null | undefined): string {
  // What is said of how he answered stands after the id.
  return name == null ? id : id.replace(/^\S+/, (said) => `${said} (${name})`)
}
