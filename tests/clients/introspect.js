// Asks the authorization server about the token of a request; nginx's auth_request wants 2xx, 401
// or 403. /etc/nginx/introspect.js
async function token(r) {
  const bearer = /^bearer ([\w.~+/-]+=*)$/i.exec(r.headersIn.Authorization || '')
  if (!bearer) return refuse(r, 401, 'Bearer')
  const answer = await r.subrequest('/_introspect', {
    method: 'POST',
    body: 'token=' + encodeURIComponent(bearer[1]),
  })
  // No answer is no permission: nginx makes a 500 of any other status.
  if (answer.status !== 200) return r.return(503)
  const told = JSON.parse(answer.responseText)
  if (told.active !== true) return refuse(r, 401, 'Bearer error="invalid_token"')
  const scope = r.variables.scope
  if (!told.scope.split(' ').includes(scope)) {
    return refuse(r, 403, 'Bearer error="insufficient_scope", scope="' + scope + '"')
  }
  r.headersOut['X-Sub'] = told.sub
  r.headersOut['X-Client'] = told.client_id
  r.return(204)
}

function refuse(r, status, challenge) {
  r.headersOut['WWW-Authenticate'] = challenge
  r.return(status)
}

export default { token }
