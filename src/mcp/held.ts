// A Request passes on the end of the signal it was made with only as long as somebody holds it, and while its answer streams nobody does:
// once it is collected, a client that leaves is never heard of. https://github.com/nodejs/undici/issues/1926

/** The same request, held as long as `by` is. */
export function held(request: Request, by: AbortSignal): Request {
  by.addEventListener('abort', () => void request.signal, { once: true })
  return request
}
