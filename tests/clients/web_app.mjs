// What the examples of web apps share: a request for each sign-in, and pages by session.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import * as client from 'openid-client'

/** A request for one sign-in; what must come back with it is kept in the browser's session. */
export async function begin(session, redirectUri, scope) {
  session.verifier = client.randomPKCECodeVerifier()
  session.state = client.randomState()
  session.nonce = client.randomNonce()
  return {
    redirect_uri: redirectUri,
    scope,
    state: session.state,
    nonce: session.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(session.verifier),
    code_challenge_method: 'S256',
  }
}

/** What the bank's answer is held against. */
export const expected = (session) => ({
  pkceCodeVerifier: session.verifier,
  expectedState: session.state,
  expectedNonce: session.nonce,
  idTokenExpected: true,
})

/** Ends the session here. */
export function forget(session) {
  for (const name of Object.keys(session)) delete session[name]
}

// A real app keeps sessions in its database.
const sessions = new Map()
// What is shown to whoever is not signed in.
const open = ['/sign-in', '/callback', '/signed-out']

/**
 * Answers on this machine. A page is handed the browser's session and the address that was asked
 * for; it gives what to show, or the URL to go to.
 */
export function serve(port, pages) {
  const home = `http://127.0.0.1:${port}`
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, home)
    const id = /app=([\w-]+)/.exec(request.headers.cookie)?.[1] ?? randomUUID()
    const session = sessions.get(id) ?? {}
    sessions.set(id, session)
    const answer = (status, headers, body) => {
      const cookie = `app=${id}; HttpOnly; SameSite=Lax; Path=/`
      response.writeHead(status, { 'set-cookie': cookie, ...headers }).end(body)
    }
    const go = (location) => answer(303, { location })
    const show = (status, value) =>
      answer(status, { 'content-type': 'application/json' }, JSON.stringify(value))
    try {
      const page = pages[url.pathname]
      if (!page) return show(404, { error: 'not_found' })
      if (!session.person && !open.includes(url.pathname)) return go(`${home}/sign-in`)
      const value = await page(session, url)
      if (value instanceof URL) return go(value.href)
      show(200, value)
    } catch (error) {
      // An OAuth error carries what to change: error, error_description, error_uri.
      const description = error.error_description ?? error.cause?.message ?? error.message
      show(502, { error: error.error ?? error.code, error_description: description })
    }
  })
  server.listen(Number(port), '127.0.0.1', () => console.log(`listening on ${home}`))
}
