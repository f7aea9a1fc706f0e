// The search dialog: asks the same page that answers without scripts, shows hits while typing, arrows choose.

const dialog = document.getElementById('search');
const input = dialog?.querySelector('input');
const list = document.getElementById('hits');
const said = document.getElementById('search-said');
const words = document.getElementById('words').dataset;
let timer = 0, asked = null, chosen = -1;

function choose(at) {
  const items = [...list.children];
  chosen = items.length ? (at + items.length) % items.length : -1;
  items.forEach((item, i) => item.setAttribute('aria-selected', String(i === chosen)));
  if (chosen < 0) return input.removeAttribute('aria-activedescendant');
  input.setAttribute('aria-activedescendant', items[chosen].id);
  items[chosen].scrollIntoView({ block: 'nearest' });
}

function row({ title, kind, href, hint }, i) {
  const item = Object.assign(document.createElement('li'), { id: `hit-${i}` });
  item.setAttribute('role', 'option');
  const link = Object.assign(document.createElement('a'), { href, tabIndex: -1 });
  for (const [name, text] of Object.entries({ title, kind, hint })) {
    if (text) link.append(Object.assign(document.createElement('span'), { className: name, textContent: text }));
  }
  item.append(link);
  return item;
}

async function look() {
  asked?.abort();
  const query = input.value.trim();
  if (!query) { list.replaceChildren(); said.textContent = words.searchHint; return choose(-1); }
  asked = new AbortController();
  const url = new URL(input.form.action);
  url.search = new URLSearchParams({ q: query, _format: 'json' });
  try {
    const answer = await fetch(url, { headers: { 'X-Requested-With': 'unibos' }, credentials: 'same-origin', signal: asked.signal });
    if (!answer.ok) throw answer;
    const hits = await answer.json();
    list.replaceChildren(...hits.map(row));
    input.setAttribute('aria-expanded', String(hits.length > 0));
    said.textContent = hits.length ? words.searchHint : words.searchNothing;
    choose(hits.length ? 0 : -1);
  } catch (error) {
    if (error.name !== 'AbortError') said.textContent = words.searchFailed; // Enter still opens the page of hits
  }
}

if (dialog) {
  input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(look, 150); });
  input.addEventListener('keydown', (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) { event.preventDefault(); choose(chosen + by); }
    if (event.key === 'Enter' && chosen >= 0) {
      event.preventDefault();
      list.children[chosen].firstElementChild.click();
      dialog.close();
    }
  });
  document.addEventListener('unibos:open', ({ detail }) => { if (detail === 'search') { input.select(); look(); } });
}
