// Uploads with visible progress and a place to drop files; without scripts the same form posts as usual.

const words = document.getElementById('words').dataset;
const say = (level, text) => document.dispatchEvent(new CustomEvent('unibos:toast', { detail: { level, text } }));
const sendingNow = new Map();

function send(form) {
  const bar = form.querySelector('progress'), said = form.querySelector('output'), request = new XMLHttpRequest();
  const end = (text) => {
    sendingNow.delete(form);
    if (bar) bar.hidden = true;
    if (said) said.textContent = text;
    for (const button of form.querySelectorAll('button')) button.disabled = false;
  };
  const failed = (text) => { end(text); say('bad', text); };
  const body = new FormData(form);
  for (const button of form.querySelectorAll('button')) button.disabled = true;
  if (bar) { bar.hidden = false; bar.removeAttribute('value'); }
  if (said) said.textContent = words.sending;
  sendingNow.set(form, request);
  request.upload.addEventListener('progress', (event) => {
    if (!event.lengthComputable || !bar) return;
    bar.max = event.total;
    bar.value = event.loaded;
    if (said && event.loaded === event.total) said.textContent = words.sent; // sent is not yet taken
  });
  request.addEventListener('load', () => {
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch { /* a page: its status says enough */ }
    if (request.status >= 400) return failed(answer.detail || answer.title || words.uploadFailed);
    end('');
    form.reset();
    if (answer.href && new URL(answer.href, location.href).origin === location.origin) return location.assign(answer.href);
    const block = form.closest('[data-block]')?.dataset.block;
    document.dispatchEvent(new CustomEvent('unibos:refresh', { detail: block ? [block] : [] }));
  });
  request.addEventListener('error', () => failed(words.uploadFailed));
  request.addEventListener('abort', () => end(''));
  request.open('POST', form.action);
  request.setRequestHeader('X-Requested-With', 'unibos');
  request.setRequestHeader('Accept', 'application/json');
  request.send(body);
}

document.addEventListener('submit', (event) => {
  if (!event.target.matches('form[data-upload]') || event.defaultPrevented) return;
  event.preventDefault();
  if (!sendingNow.has(event.target)) send(event.target);
});
document.addEventListener('dragover', (event) => {
  const form = event.target.closest?.('form[data-upload]');
  if (!event.dataTransfer?.types.includes('Files')) return;
  event.preventDefault(); // a file beside the area must not replace the page
  if (form) form.dataset.over = '';
});
document.addEventListener('dragleave', (event) => {
  const form = event.target.closest?.('form[data-upload]');
  if (form && !form.contains(event.relatedTarget)) delete form.dataset.over;
});
document.addEventListener('drop', (event) => {
  if (!event.dataTransfer?.types.includes('Files')) return;
  event.preventDefault();
  const form = event.target.closest?.('form[data-upload]');
  if (!form) return;
  delete form.dataset.over;
  form.querySelector('input[type=file]').files = event.dataTransfer.files;
  form.requestSubmit();
});
addEventListener('beforeunload', (event) => { if (sendingNow.size) event.preventDefault(); });
