// Reads a value out of a plot by pointer, tap or arrow keys.
// The numbers lie on the drawing: data-points = [[ms after start, mean, low, high], …].

const lang = document.documentElement.lang || 'en';
const SVG = 'http://www.w3.org/2000/svg';
const drawings = new WeakMap();

function read(area) {
  const svg = area.querySelector('svg[data-points]');
  if (!svg) return null;
  const known = drawings.get(area);
  if (known?.svg === svg && known.source === svg.dataset.points) return known;
  const { start, end, low, high, top, bottom, unit, zone } = svg.dataset;
  const options = { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23', timeZone: zone };
  let when;
  try { when = new Intl.DateTimeFormat(lang, options); }
  catch { when = new Intl.DateTimeFormat(lang, { ...options, timeZone: undefined }); } // a zone this browser does not know
  const drawing = {
    source: svg.dataset.points, svg, points: JSON.parse(svg.dataset.points), when,
    at: -1,
    number: new Intl.NumberFormat(lang, { maximumSignificantDigits: 6 }), unit,
    x: (ms) => ms / (end - start), y: (value) => +bottom - (value - low) / (high - low) * (bottom - top), start: Number(start),
  };
  drawings.set(area, drawing);
  return drawing;
}

function put(area, at) {
  const drawing = read(area);
  if (!drawing?.points.length) return;
  drawing.at = Math.max(0, Math.min(drawing.points.length - 1, at));
  const [ms, mean, low = mean, high = mean] = drawing.points[drawing.at];
  const number = (value) => drawing.number.format(value);
  let cursor = drawing.svg.querySelector('.cursor');
  if (!cursor) {
    cursor = document.createElementNS(SVG, 'g');
    cursor.setAttribute('class', 'cursor');
    cursor.append(document.createElementNS(SVG, 'line'), document.createElementNS(SVG, 'circle'));
    drawing.svg.append(cursor);
  }
  const x = `${drawing.x(ms) * 100}%`;
  const place = (element, values) => { for (const [name, v] of Object.entries(values)) element.setAttribute(name, v); };
  place(cursor.firstChild, { x1: x, x2: x, y1: drawing.svg.dataset.top, y2: drawing.svg.dataset.bottom });
  place(cursor.lastChild, { cx: x, cy: drawing.y(mean), r: 4 });
  const range = low < high ? ` (${number(low)} – ${number(high)})` : '';
  const text = `${drawing.when.format(drawing.start + ms)} · ${number(mean)} ${drawing.unit}${range}`;
  const output = area.closest('figure').querySelector('output');
  output.textContent = text;
  if (area === document.activeElement) {
    place(area, {
      role: 'slider', 'aria-valuemin': 0, 'aria-valuenow': drawing.at, 'aria-valuemax': drawing.points.length - 1, 'aria-valuetext': text,
    });
  }
}

// A block that was fetched anew lost its cursor: read the same moment again.
document.addEventListener('unibos:laid', () => {
  for (const area of document.querySelectorAll('.plot-area')) {
    const before = drawings.get(area);
    if (!before || before.at < 0 || area.querySelector('.cursor')) continue;
    const drawing = read(area);
    if (drawing?.points.length) put(area, nearest(drawing, before.start + before.points[before.at][0] - drawing.start));
  }
});

function nearest(drawing, ms) {
  let low = 0, high = drawing.points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (drawing.points[middle][0] <= ms) low = middle; else high = middle;
  }
  return Math.abs(drawing.points[low][0] - ms) <= Math.abs(drawing.points[high]?.[0] - ms) ? low : high;
}

function point(event) {
  const area = event.target.closest?.('.plot-area');
  const drawing = area && read(area);
  if (!drawing?.points.length) return;
  const box = drawing.svg.getBoundingClientRect();
  const span = drawing.svg.dataset.end - drawing.svg.dataset.start;
  put(area, nearest(drawing, (event.clientX - box.left) / box.width * span));
}
document.addEventListener('pointermove', point);
document.addEventListener('pointerdown', point);

document.addEventListener('focusin', ({ target }) => {
  if (!target.matches?.('.plot-area')) return;
  const drawing = read(target);
  if (!drawing?.points.length) return;
  put(target, drawing.at < 0 ? drawing.points.length - 1 : drawing.at);
});
document.addEventListener('keydown', (event) => {
  if (!event.target.matches?.('.plot-area') || event.ctrlKey || event.metaKey || event.altKey) return;
  const drawing = read(event.target);
  if (!drawing) return;
  const last = drawing.points.length - 1, far = Math.max(1, Math.round(last / 10));
  const { at } = drawing;
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, PageDown: at - far, PageUp: at + far, Home: 0, End: last }[event.key];
  if (to !== undefined) { event.preventDefault(); put(event.target, to); }
  if (event.key === 't') {
    const numbers = event.target.closest('figure').querySelector('details');
    if (numbers) { event.preventDefault(); numbers.open = !numbers.open; }
  }
});
