// The page at `/`: what a person sees who opens the hub's address in a browser. It needs no token and tells nothing about the hub.

import { apiBase } from '../contract/http.ts'

/** No script, nothing from elsewhere, in nobody's frame. */
export const landingPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

export const landingPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Muster hub</title>
<style>
  :root { color-scheme: light dark }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }
  pre { padding: 1rem; border: 1px solid; border-radius: .4rem; overflow-x: auto }
</style>
<h1>This is a Muster hub</h1>
<p>It is up. Drive it from the command line, on its own machine without a token:</p>
<pre><code>muster host list
muster exec local -- uname -a
muster run list</code></pre>
<p>From another machine, set <code>MUSTER_HUB</code> to this address and <code>MUSTER_TOKEN</code> to a token of yours
(<code>muster token create NAME --role operator</code> on the hub's machine).</p>
<p>Programs use the HTTP API, which describes itself at <code>${apiBase}/openapi.json</code>.</p>
</html>
`
