// What every page has: theme, copy, toasts, confirm dialogs, menus. Everything here only improves what works without it.

const root = document.documentElement;
const words = document.getElementById('words')?.dataset ?? {};
const glyphs = { good: '●', warn: '▲', bad: '■', info: '◆' };
root.dataset.scripts = 'on';

// Toasts: document.dispatchEvent(new CustomEvent('unibos:toast', {detail: {level, text}}))
document.addEventListener('unibos:toast', ({ detail }) => {
  const region = document.getElementById('toasts');
  if (!region || !detail.text) return;
  const level = detail.level in glyphs ? detail.level : 'info';
  const toast = Object.assign(document.createElement('div'), { className: `toast ${level}` });
  const glyph = Object.assign(document.createElement('span'), { className: 'glyph', textContent: glyphs[level] });
  glyph.setAttribute('aria-hidden', 'true');
  const text = Object.assign(document.createElement('p'), { textContent: detail.text });
  const close = Object.assign(document.createElement('button'), { type: 'button', textContent: '×' });
  close.setAttribute('aria-label', words.close);
  close.addEventListener('click', () => toast.remove());
  toast.append(glyph, text, close);
  region.append(toast);
  while (region.children.length > 4) region.firstElementChild.remove();
  if (level === 'bad') return; // a problem stays until it is read
  const leave = () => { toast.matches(':hover, :focus-within') ? setTimeout(leave, 2000) : toast.remove(); };
  setTimeout(leave, 8000);
});

// Theme: shown at once, kept by the same form that works without scripts
document.addEventListener('submit', (event) => {
  const form = event.target.closest('form[data-appearance]');
  const theme = event.submitter?.name === 'theme' && event.submitter.value;
  if (!form || !theme) return;
  event.preventDefault();
  root.dataset.theme = theme;
  for (const button of document.querySelectorAll('form[data-appearance] button[name=theme]')) {
    button.setAttribute('aria-pressed', String(button.value === theme));
  }
  const body = new FormData(form);
  body.set('theme', theme);
  fetch(form.action, { method: 'POST', body, headers: { 'X-Requested-With': 'unibos' }, credentials: 'same-origin', keepalive: true })
    .then((answer) => { if (!answer.ok) throw answer; })
    .catch(() => document.dispatchEvent(new CustomEvent('unibos:toast', { detail: { level: 'warn', text: words.notKept } })));
});

// The sentence of the request before this one comes in a cookie that is read once; the reader's zone goes back in one.
const cookie = (name) => document.cookie.split('; ').find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
const said = cookie('unibos-toast');
if (said) {
  document.cookie = 'unibos-toast=; Max-Age=0; Path=/; SameSite=Lax';
  let text = said.replace(/^"|"$/g, '');
  try { text = decodeURIComponent(text); } catch { /* as it came */ }
  document.dispatchEvent(new CustomEvent('unibos:toast', { detail: { level: 'good', text } }));
}
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (/^[\w/+-]+$/.test(zone) && cookie('unibos-zone') !== zone) {
  document.cookie = `unibos-zone=${zone}; Max-Age=31536000; Path=/; SameSite=Lax`;
}

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = Object.assign(document.createElement('textarea'), { value: text, className: 'unseen' }); // plain HTTP on the LAN
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('refused');
}

document.addEventListener('click', async (event) => {
  const target = event.target.closest('[data-copy], [data-opens], [data-closes], [data-print]');
  for (const menu of document.querySelectorAll('details.menu[open], .places details[open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (!target) return;
  if (target.dataset.print !== undefined) {
    window.print();
  } else if (target.dataset.copy !== undefined) {
    const source = document.getElementById(target.dataset.copy) ?? target.parentElement.querySelector('pre, code, output');
    const label = target.textContent;
    target.textContent = await copy(source.textContent).then(() => words.copied, () => words.notCopied);
    target.focus();
    setTimeout(() => { target.textContent = label; }, 2000);
  } else if (target.dataset.opens) {
    event.preventDefault();
    target.closest('details.menu')?.removeAttribute('open');
    document.dispatchEvent(new CustomEvent('unibos:open', { detail: target.dataset.opens }));
  } else if (target.closest('dialog')?.matches(':modal')) {
    event.preventDefault();
    target.closest('dialog').close();
  }
});

document.addEventListener('unibos:open', ({ detail }) => {
  const dialog = document.getElementById(detail);
  if (dialog && !document.querySelector('dialog:modal')) dialog.showModal();
});

// A confirmation is a <details> that works without scripts; with them its dialog is modal and the safe button has the focus.
document.addEventListener('toggle', ({ target }) => {
  if (!target.matches?.('details.confirm') || !target.open) return;
  const dialog = target.querySelector('dialog');
  dialog.showModal();
  (dialog.querySelector('input:not([type=hidden])') ?? dialog.querySelector('[data-closes]')).focus();
}, true);
document.addEventListener('close', ({ target }) => {
  const confirm = target.closest?.('details.confirm');
  if (!confirm) return;
  confirm.open = false;
  confirm.querySelector('summary').focus();
}, true);
document.addEventListener('click', ({ target }) => { if (target.matches('dialog:modal')) target.close(); }); // the backdrop

// A password can be looked at: phones make typing mistakes
for (const input of document.querySelectorAll('input[type=password][data-reveal]')) {
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', className: 'button quiet small', textContent: words.show });
  button.setAttribute('aria-pressed', 'false');
  button.addEventListener('click', () => {
    const shown = input.type === 'password';
    input.type = shown ? 'text' : 'password';
    button.setAttribute('aria-pressed', String(shown));
  });
  input.after(button);
}
