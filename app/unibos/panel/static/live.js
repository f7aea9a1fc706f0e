// Keeps a page live: one WebSocket says what changed, blocks are fetched anew and laid over the old ones in order.
// The server says: ready · changed(topic) · value(key, text, at) · toast(level, text) · reload.

const root = document.documentElement;
const words = document.getElementById('words').dataset;
const lang = root.lang || 'en';
let since = Number(root.dataset.at) || 0; // when the box rendered what the page shows
let skew = 0; // the box's clock may differ from the reader's: `ready` tells it
const STALE = 30_000, SILENCE = 25_000, ANSWER = 10_000;
const say = (level, text) => document.dispatchEvent(new CustomEvent('unibos:toast', { detail: { level, text } }));

// --- laying a fresh fragment over the old one; what the reader typed, opened, selected or scrolled stays --------------------

const keyOf = (node) => node.nodeType === 1 ? node.id || node.dataset.key || node.dataset.block || '' : '';
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

function typed(field) {
  if (field.type === 'checkbox' || field.type === 'radio') return field.checked !== field.defaultChecked;
  if (field.nodeName === 'SELECT') return [...field.options].some((option) => option.selected !== option.defaultSelected)
    && [...field.options].some((option) => option.defaultSelected);
  return field.type !== 'hidden' && field.value !== field.defaultValue;
}
const FIELD = 'input, textarea, select';
const dirty = () => [...document.querySelectorAll(`main form:not([data-appearance]) :is(${FIELD})`)].some(typed);

function lay(old, fresh) {
  if (old.nodeType !== 1) { if (old.data !== fresh.data) old.data = fresh.data; return; }
  if (old.isEqualNode(fresh)) return;
  const field = old.matches(FIELD), keep = field && (typed(old) || old === document.activeElement);
  for (const { name, value } of [...fresh.attributes]) {
    if (name === 'open' && /^(DETAILS|DIALOG)$/.test(old.nodeName)) continue;
    if (old.getAttribute(name) !== value && !(keep && (name === 'value' || name === 'checked'))) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === 'open' && /^(DETAILS|DIALOG)$/.test(old.nodeName)) && name !== 'aria-busy'
      && !(keep && name === 'checked')) old.removeAttribute(name);
  }
  if (keep) return;
  layChildren(old, fresh);
  if (field && old.nodeName !== 'SELECT' && old.type !== 'file' && !/^(checkbox|radio)$/.test(old.type)) old.value = fresh.value;
}

function layChildren(old, fresh) {
  const wanted = new Set([...fresh.children].map(keyOf).filter(Boolean));
  for (const child of [...old.children]) if (keyOf(child) && !wanted.has(keyOf(child))) child.remove();
  const byKey = new Map([...old.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let at = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    const key = keyOf(want);
    let match = key ? byKey.get(key) : at;
    while (!key && match && !alike(match, want)) match = match.nextSibling;
    if (!match || !alike(match, want)) { old.insertBefore(want, at); continue; }
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    lay(match, want);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

function show(name, html) {
  const old = document.querySelector(`[data-block="${CSS.escape(name)}"]`);
  const parsed = document.createElement('template'); // takes a row or a list item too
  parsed.innerHTML = html;
  const fresh = parsed.content.querySelector(`[data-block="${CSS.escape(name)}"]`);
  if (!old || !fresh) return;
  const focused = document.activeElement;
  lay(old, document.adoptNode(fresh));
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true }); // a moved row drops its focus
  document.dispatchEvent(new CustomEvent('unibos:laid'));
  hello();
}

// --- blocks: fetched one after another, each at most once running and once waiting -------------------------------------------

const waiting = [];
let running = false, tries = 0;

function refresh(names) {
  for (const name of names) if (!waiting.includes(name)) waiting.push(name);
  if (!running) work();
}
const allBlocks = () => [...document.querySelectorAll('[data-block]')].map((element) => element.dataset.block);

async function work() {
  running = true;
  while (waiting.length) {
    const name = waiting.shift();
    const element = document.querySelector(`[data-block="${CSS.escape(name)}"]`);
    if (!element) continue;
    const slow = setTimeout(() => element.setAttribute('aria-busy', 'true'), 300);
    try {
      const answer = await ask(name);
      if (answer.ok) { show(name, await answer.text()); tries = 0; }
      else if (answer.status >= 500 || answer.status === 429) throw answer;
    } catch {
      if (tries < 5) setTimeout(() => refresh([name]), 500 * 2 ** tries++); // then a change or reconnect asks
    } finally {
      clearTimeout(slow);
      element.removeAttribute('aria-busy');
    }
  }
  running = false;
}

async function ask(block) {
  const url = new URL(location.href);
  url.hash = '';
  url.searchParams.set('_block', block);
  const answer = await fetch(url, {
    headers: { 'X-Requested-With': 'unibos' }, credentials: 'same-origin', redirect: 'manual', cache: 'no-store',
    signal: AbortSignal.timeout(20_000),
  });
  if (answer.type === 'opaqueredirect' || answer.status === 401) loggedOut();
  return answer;
}

function loggedOut() {
  if (dirty()) return say('bad', words.loggedOut);
  if (Date.now() - Number(sessionStorage.getItem('unibos-reload')) < 60_000) return; // once, not for ever
  sessionStorage.setItem('unibos-reload', String(Date.now()));
  location.reload();
}

// The session was ended, maybe elsewhere: the login says why. What was typed stays to be copied.
let leaving = false; // by one's own hand: that form knows where to go
document.addEventListener('submit', ({ target }) => { leaving ||= target.matches('form[action="/logout/"]'); });
function ended() {
  if (leaving) return;
  if (dirty()) { lostAt ||= Date.now(); state('stale'); return say('bad', words.loggedOut); }
  location.replace(`/login/?next=${encodeURIComponent(location.pathname + location.search)}`);
}

// --- ages ----------------------------------------------------------------------------------------------------------------

const relative = new Intl.RelativeTimeFormat(lang, { numeric: 'always' });
const UNITS = [['year', 31_557_600], ['month', 2_629_800], ['week', 604_800], ['day', 86_400], ['hour', 3600],
  ['minute', 60], ['second', 1]];
function ago(ms) {
  const seconds = (ms - (Date.now() - skew)) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length * 1.2) ?? ['second', 1];
  return relative.format(Math.round(seconds / size) || -0, unit);
}
function ages() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll('time[title][datetime]')) {
    const at = Date.parse(time.dateTime), text = ago(at);
    if (!Number.isNaN(at) && time.textContent !== text) time.textContent = text;
  }
}
setInterval(ages, 10_000);

function value({ key, text, at }) {
  const name = CSS.escape(key);
  for (const element of document.querySelectorAll(`[data-value="${name}"]`)) {
    if (element.textContent !== text) element.textContent = text;
  }
  if (!at) return;
  for (const time of document.querySelectorAll(`[data-value-at="${name}"]`)) {
    time.dateTime = new Date(at).toISOString();
    time.title = new Date(at).toLocaleString(lang, { dateStyle: 'medium', timeStyle: 'medium' });
    time.textContent = ago(at);
  }
}

// --- the connection ------------------------------------------------------------------------------------------------------

let socket = null, failures = 0, lostAt = 0, heardAt = 0, everReady = false, topics = '', timer = 0;
const place = document.getElementById('live-state');
const clock = (ms) => new Date(ms).toLocaleTimeString(lang, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

function state(name) {
  if (root.dataset.live === name) return;
  const first = !root.dataset.live;
  root.dataset.live = name;
  const text = name === 'live' ? words.live : words[name].replace('{time}', clock(lostAt));
  if (place) {
    place.dataset.state = name;
    place.querySelector('.glyph').textContent = { live: '●', reconnecting: '▲', stale: '■' }[name];
    place.querySelector('.word').textContent = text;
  }
  if (!first) document.getElementById('speak').textContent = text; // a screen reader hears changes, not the first state
}

function hello(force) {
  const found = [...document.querySelectorAll('[data-topics]')].flatMap(({ dataset }) => dataset.topics.split(/\s+/)).filter(Boolean);
  const list = [...new Set(found)].sort();
  if (socket?.readyState !== WebSocket.OPEN || (!force && topics === list.join(' '))) return;
  topics = list.join(' ');
  socket.send(JSON.stringify({ type: 'hello', topics: list, since: force && everReady ? 0 : since }));
}

const hear = {
  ready({ at }) {
    if (at) { skew = Date.now() - at; since = at; }
    const late = everReady || performance.now() > 3000; // what changed between the page and this word is fetched
    const back = lostAt || !everReady;
    everReady = true; failures = 0; lostAt = 0; tries = 0;
    state('live');
    if (late && back) refresh(allBlocks());
  },
  changed({ topic }) {
    const all = [...document.querySelectorAll('[data-block][data-topics]')];
    refresh(all.filter(({ dataset }) => dataset.topics.split(/\s+/).includes(topic)).map(({ dataset }) => dataset.block));
  },
  value,
  toast({ level, text }) { say(level, text); },
  reload() { if (dirty()) say('info', words.newVersion); else location.reload(); },
};

function connect() {
  clearTimeout(timer);
  if (socket && socket.readyState <= WebSocket.OPEN) return;
  const mine = socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws/live/`);
  const lost = (event) => {
    if (mine !== socket) return;
    if (event?.code === 4401) { socket = null; return ended(); }
    socket = null;
    lostAt ||= Date.now();
    if (Date.now() - lostAt < STALE) state('reconnecting');
    if (++failures === 2) ask('_').catch(() => {}); // a refused handshake does not say why; an ordinary request does
    timer = setTimeout(connect, Math.min(15_000, 500 * 2 ** (failures - 1)) * (0.75 + Math.random() / 2));
  };
  mine.addEventListener('open', () => { heardAt = Date.now(); hello(true); });
  mine.addEventListener('message', ({ data }) => {
    heardAt = Date.now();
    const message = JSON.parse(data);
    if (mine === socket && Object.hasOwn(hear, message.type)) hear[message.type](message);
  });
  mine.addEventListener('close', lost);
  mine.drop = () => { lost(); mine.close(); }; // a dead line never says goodbye
}

setInterval(() => {
  if (lostAt && Date.now() - lostAt >= STALE) state('stale');
  const silent = Date.now() - heardAt;
  if (socket?.readyState !== WebSocket.OPEN) return;
  if (silent > SILENCE + ANSWER) socket.drop();
  else if (silent > SILENCE) hello(true);
}, 5000);

addEventListener('offline', () => socket?.drop());
addEventListener('online', connect);
addEventListener('pagehide', () => { const leaving = socket; socket = null; leaving?.close(); clearTimeout(timer); });
addEventListener('pageshow', ({ persisted }) => { if (persisted) { lostAt ||= Date.now(); connect(); } });
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  ages();
  if (socket?.readyState === WebSocket.OPEN) hello(true); else connect();
});
document.addEventListener('unibos:refresh', ({ detail }) => refresh(detail?.length ? detail : allBlocks()));

connect();
refresh([...document.querySelectorAll('[data-block][data-load]')].map((element) => element.dataset.block));
