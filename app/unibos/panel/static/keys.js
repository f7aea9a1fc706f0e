// Keys for everything: ? shows them, g and a letter goes, / searches, j and k move, Enter opens, Esc leaves.

let going = 0;
const open = (id) => document.dispatchEvent(new CustomEvent('unibos:open', { detail: id }));
const TYPED = 'input:not([type=checkbox]):not([type=radio]):not([type=submit]), textarea, select, [contenteditable]';
const typing = (target) => target.closest?.(TYPED);
const off = () => localStorage.getItem('unibos-keys') === 'off';

function move(by) {
  const items = [...document.querySelectorAll('[data-list] [data-item]')].filter((item) => item.offsetParent);
  if (!items.length) return;
  const at = items.findIndex((item) => item === document.activeElement || item.closest('tr, li')?.contains(document.activeElement));
  items[at < 0 ? (by > 0 ? 0 : items.length - 1) : Math.max(0, Math.min(items.length - 1, at + by))].focus();
}

function leave(event) {
  const menu = document.querySelector('details.menu[open], .places details[open]');
  if (menu) { menu.open = false; menu.querySelector('summary').focus(); }
  else if (typing(event.target) || event.target.matches('[data-item]')) event.target.blur();
  else document.querySelector('a[rel~=up]')?.click();
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (document.querySelector('dialog:modal')) return; // the dialog has its own keys
  if (event.key === 'Escape') return leave(event);
  if (typing(event.target) || off()) return;
  const act = { '?': () => open('keys'), '/': () => open('search'), j: () => move(1), k: () => move(-1) }[event.key];
  if (going && Date.now() - going < 1500) {
    going = 0;
    const link = document.querySelector(`.places a[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (link) { event.preventDefault(); link.click(); }
  } else if (event.key === 'g') going = Date.now();
  else if (act) { event.preventDefault(); act(); }
});

const toggle = document.getElementById('keys-on'); // a single key may be in the way of speech input
if (toggle) {
  toggle.checked = !off();
  toggle.addEventListener('change', () => localStorage.setItem('unibos-keys', toggle.checked ? 'on' : 'off'));
}
