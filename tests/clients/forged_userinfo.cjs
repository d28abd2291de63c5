// Loaded into an example, it stands between it and the bank: what is signed in an answer, if it is
// not JSON, comes under another signature.
const { fetch } = globalThis
globalThis.fetch = async (address, options) => {
  const answer = await fetch(address, options)
  if (!answer.headers.get('content-type')?.startsWith('application/jwt')) return answer
  const [head, body, signature] = (await answer.text()).split('.')
  const other = signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
  return new Response([head, body, other].join('.'), answer)
}
