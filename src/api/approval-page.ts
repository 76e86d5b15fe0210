// The page behind a web link that answers an approval: what would run, and two or three buttons. Everything in it comes from a host or
// from who asked, so nothing of it is taken for markup, and no script is needed or allowed.

import type { FleetApproval } from '../contract/approval.ts'
import type { MusterError } from '../contract/errors.ts'
import { allSeen } from '../contract/printable.ts'

/** Nothing from elsewhere, no script, in nobody's frame; its own form is sent nowhere but here. */
export const approvalPagePolicy =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

export function approvalPage(approval: FleetApproval): string {
  const { asked, askerName, host, reason, cause, expiresAt, digest } = approval
  const rows: [string, string | null][] = [
    ['Host', host],
    ['Command', asked.command],
    ['Who asks', whoAsks(asked.asker, askerName)],
    ['Reason given', reason],
    ['Why you are asked', cause],
    ['Session', asked.session],
    ['Directory', asked.cwd],
    ['Variables', Object.keys(asked.env).join(', ') || null],
    ['Until', expiresAt],
    ['Digest', digest],
  ]
  const blocks: [string, string | null][] = [
    ['Argument list', asked.argv && JSON.stringify(asked.argv, null, 2)],
    ['Parameters', JSON.stringify(asked.params, null, 2)],
    ['Script', asked.script?.text ?? null],
  ]
  return page(
    `May ${asked.command} run on ${host}?`,
    `<dl>${rows.map(([name, text]) => (text === null ? '' : `<dt>${shown(name)}</dt><dd>${shown(text)}</dd>`)).join('\n')}</dl>
${blocks.map(([name, text]) => (text === null ? '' : `<h2>${shown(name)}</h2><pre>${shown(text)}</pre>`)).join('\n')}
<form method="post" autocomplete="off">
<p><label>Reason (needed to deny)<br><input name="reason" maxlength="1000"></label></p>
<p><button name="outcome" value="approved">Let it run once</button>
${asked.session === null ? '' : '<button name="outcome" value="approved_session">Let the like run for this session</button>'}
<button name="outcome" value="denied">Deny</button></p>
</form>`,
  )
}

function whoAsks(asker: string | null, name: string | null): string {
  if (asker === null) return 'the hub itself'
  return name === null ? asker : `${asker} (${name})`
}

export function answeredPage({ asked, host, state }: FleetApproval): string {
  return page(
    state === 'denied' ? 'Denied' : 'Approved',
    `<p>${shown(asked.command)} on ${shown(host)}: <strong>${shown(state)}</strong>. This link is used up.</p>`,
  )
}

export function refusalPage({ message, hint }: MusterError): string {
  return page('This link does not answer', `<p>${shown(message)}</p><p>${shown(hint)}</p>`)
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${shown(title)}</title>
<style>
  :root { color-scheme: light dark }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
  pre { padding: 1rem; border: 1px solid; border-radius: .4rem; overflow-x: auto; white-space: pre-wrap }
  dt { font-weight: 600 }
  input { width: 100%; font: inherit; padding: .4rem; box-sizing: border-box }
  button { font: inherit; padding: .6rem 1rem; margin: 0 .5rem .5rem 0 }
</style>
<h1>${shown(title)}</h1>
${body}
</html>
`
}

const markup: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text from anywhere as text: markup escaped, what cannot be seen written out but for line ends and tabs. */
function shown(text: string): string {
  return text
    .split(/([\n\t])/)
    .map((part, n) => (n % 2 === 1 ? part : allSeen(part)))
    .join('')
    .replace(/[&<>"']/g, (found) => markup[found] ?? found)
}
