// What is answered where no route matched: OPTIONS, another method's path, nothing at all.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { failure } from '../contract/errors.ts'

interface Known {
  readonly pattern: RegExp
  readonly methods: readonly string[]
}

/** `paths`: each served path, with `:name` parts, and a method that it answers; HEAD where GET has it too. */
export function answerMissing(paths: readonly { path: string; methods: readonly string[] }[]) {
  const known: Known[] = paths.map(({ path, methods }) => ({
    pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`),
    methods,
  }))

  return async ({ method, url }: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const path = url.split('?', 1)[0] ?? url
    const methods = new Set(known.filter(({ pattern }) => pattern.test(path)).flatMap((one) => one.methods))
    if (methods.size === 0) throw failure('operation.unknown', { operation: `${method} ${path.slice(0, 200)}` })
    const allowed = [...methods, 'OPTIONS'].join(', ')
    reply.header('Allow', allowed)
    if (method === 'OPTIONS') return reply.code(204).send()
    throw failure('http.method', { method, path: path.slice(0, 200), allowed })
  }
}
