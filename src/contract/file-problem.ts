// What the system says of a file, in words: for the sentences of errors.

const words: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'a part of its path is no directory',
  EISDIR: 'it is a directory',
  EACCES: 'this account may not',
  EPERM: 'this account may not',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'its name is too long',
}

export function describeFileProblem(error: unknown): string {
  const { code = '', message } = error as Error & { code?: string }
  return words[code] ?? message
}
