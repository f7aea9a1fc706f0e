// Passkeys (WebAuthn, level 2): asks the box what to ask, the browser for the answer, and sends it by the form around the button.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

function asked(options) {
  const found = { ...options, challenge: bytes(options.challenge) };
  if (options.user) found.user = { ...options.user, id: bytes(options.user.id) };
  for (const list of ['allowCredentials', 'excludeCredentials']) {
    if (options[list]) found[list] = options[list].map((one) => ({ ...one, id: bytes(one.id) }));
  }
  return found;
}

function answered(credential) {
  const { response } = credential, said = { clientDataJSON: text(response.clientDataJSON) };
  if (response.attestationObject) {
    said.attestationObject = text(response.attestationObject);
    said.transports = response.getTransports?.() ?? [];
  } else {
    said.authenticatorData = text(response.authenticatorData);
    said.signature = text(response.signature);
    if (response.userHandle) said.userHandle = text(response.userHandle);
  }
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response: said,
    clientExtensionResults: credential.getClientExtensionResults(), authenticatorAttachment: credential.authenticatorAttachment ?? null };
}

async function begin(form) {
  const fields = form.dataset.passkey === 'create' ? ['password', 'code'] : ['challenge'];
  const answer = await fetch(form.dataset.begin, {
    method: 'POST', credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': form.elements._csrf.value, 'X-Requested-With': 'unibos' },
    body: JSON.stringify(Object.fromEntries(fields.map((name) => [name, form.elements[name].value]))),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.detail || form.dataset.failed);
  return said;
}

async function run(form) {
  if (!window.isSecureContext || !window.PublicKeyCredential) throw new Error(form.dataset.none);
  const { handle, options } = await begin(form);
  let credential;
  try {
    credential = await navigator.credentials[form.dataset.passkey]({ publicKey: asked(options) });
  } catch (error) {
    throw new Error({ NotAllowedError: form.dataset.stopped, InvalidStateError: form.dataset.known }[error.name] ?? form.dataset.failed);
  }
  form.elements.handle.value = handle;
  form.elements.credential.value = JSON.stringify(answered(credential));
  for (const name of ['password', 'code']) if (form.elements[name]) form.elements[name].value = ''; // they have done their part
  form.submit();
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (!form.matches('form[data-passkey]')) return;
  event.preventDefault();
  const button = form.querySelector('button:not([type=button])'), problem = form.querySelector('[role=alert]');
  const buttons = form.querySelectorAll('button');
  for (const each of buttons) each.disabled = true;
  problem.hidden = true;
  run(form).catch((error) => {
    problem.textContent = error.message;
    problem.hidden = false;
    for (const each of buttons) each.disabled = false;
    button?.focus();
  });
});
