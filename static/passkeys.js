// Passkeys and security keys: what the server asks goes to the browser, what the browser answers goes
// into the page's own form. Every decision is the server's.
(() => {
  'use strict';

  const encode = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const decode = text => Uint8Array.from(
    atob(text.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));

  const named = list => (list || []).map(one => ({ ...one, id: decode(one.id) }));

  const toAsk = options => ({
    ...options,
    challenge: decode(options.challenge),
    allowCredentials: named(options.allowCredentials),
  });

  const toCreate = options => ({
    ...options,
    challenge: decode(options.challenge),
    user: { ...options.user, id: decode(options.user.id) },
    excludeCredentials: named(options.excludeCredentials),
  });

  const answer = credential => {
    const response = { clientDataJSON: encode(credential.response.clientDataJSON) };
    for (const part of ['attestationObject', 'authenticatorData', 'signature', 'userHandle'])
      if (credential.response[part]) response[part] = encode(credential.response[part]);
    if (credential.response.getTransports)
      response.transports = credential.response.getTransports();
    return JSON.stringify({
      id: credential.id,
      rawId: encode(credential.rawId),
      type: credential.type,
      extensions: {},
      response,
    });
  };

  const challenge = async proof => {
    const reply = await fetch('/passkeys/ask', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ proof }),
    });
    if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
    return reply.json();
  };

  const send = (form, fields) => {
    for (const [name, value] of Object.entries(fields)) form.elements[name].value = value;
    // Fields that are not needed now may be empty: the server knows what is.
    HTMLFormElement.prototype.submit.call(form);
  };

  // One question at a time: the browser refuses a second one.
  let waiting = null;
  const alone = () => {
    if (waiting) waiting.abort();
    waiting = new AbortController();
    return waiting.signal;
  };

  const ask = async (form, proof, mediation) => {
    const signal = alone();
    const asked = await challenge(proof);
    if (signal.aborted) return;
    const credential = await navigator.credentials.get({
      publicKey: toAsk(asked.publicKey), signal, ...mediation });
    if (signal.aborted) return;
    send(form, { ceremony: asked.ceremony, credential: answer(credential), proof });
  };

  const create = async form => {
    const publicKey = toCreate(JSON.parse(form.dataset.options));
    const credential = await navigator.credentials.create({ publicKey, signal: alone() });
    send(form, { credential: answer(credential) });
  };

  const createHere = async form => {
    const reply = await fetch(form.dataset.ask, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: '',
    });
    if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
    form.dataset.options = JSON.stringify((await reply.json()).publicKey);
    return create(form);
  };

  // What the person must have filled in before her key is asked; a code is not among it.
  const filled = (form, kind) => {
    const spare = kind === 'passkey' ? ['current', 'password', 'code', 'username'] : ['code'];
    const keep = kind === 'passkey' && form.elements.repeat ? ['password'] : [];
    for (const field of form.elements) {
      if (spare.includes(field.name) && !keep.includes(field.name)) continue;
      if (!field.reportValidity()) return false;
    }
    return true;
  };

  const press = async button => {
    const form = button.form;
    const kind = button.dataset.keys;
    const failed = form.querySelector('[data-failed]');
    if (failed) failed.hidden = true;
    if (kind !== 'create' && !filled(form, kind)) return;
    button.disabled = true;
    try {
      if (kind !== 'create') await ask(form, kind, {});
      else if (form.dataset.ask) await createHere(form);
      else await create(form);
    } catch (error) {
      if (failed) failed.hidden = false;
      console.info('no answer from an authenticator:', error.name);
      suggest();
    } finally {
      button.disabled = false;
    }
  };

  // Passkeys among the suggestions of the name's field, where the browser can. A question lives five
  // minutes; a new one takes its place before that.
  let again = 0;
  const suggest = async () => {
    clearTimeout(again);
    const field = document.querySelector('input[autocomplete~=webauthn]');
    const can = window.PublicKeyCredential && PublicKeyCredential.isConditionalMediationAvailable;
    if (!field || !can || !await PublicKeyCredential.isConditionalMediationAvailable()) return;
    again = setTimeout(suggest, 4 * 60 * 1000);
    try {
      await ask(field.form, 'passkey', { mediation: 'conditional' });
    } catch (error) {
      console.info('no passkey was chosen:', error.name);
    }
  };

  if (!window.PublicKeyCredential) {
    for (const part of document.querySelectorAll('.scripted')) part.hidden = true;
    return;
  }
  for (const button of document.querySelectorAll('[data-keys]'))
    button.addEventListener('click', () => press(button));
  suggest();
})();
