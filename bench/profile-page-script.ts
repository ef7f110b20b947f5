/**
 * The drawings of a profile's page, in the page's own JavaScript. It is given dispatches, phases, categories, points (time,
 * then bytes of each category), peak, roof and rows, and `css` and `dark` of page-script.ts.
 */
export const profileScript = `
const PHASE_COLOURS = ['quiet', 'blue', 'orange', 'green'];
const CATEGORY_COLOURS = ['teal', 'green', 'purple', 'red', 'blue', 'orange', 'quiet'];
const digits = (n) => n >= 100 ? n.toFixed(0) : String(+n.toPrecision(3));
const mib = (bytes) => digits(bytes / 2 ** 20) + ' MiB';
const rate = (d) => digits(d.gflops) + ' GFLOP/s, ' + digits(d.gbs) + ' GB/s, ' + (100 * d.roofline).toFixed(0) + ' % of the roofline, bound by ' + d.bound;

const tip = document.body.appendChild(document.createElement('div'));
tip.id = 'tip';
tip.hidden = true;
function showTip(event, words) {
  tip.hidden = !words;
  if (!words) return;
  tip.textContent = words;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8)) + 'px';
  tip.style.top = (event.clientY + 18 + height < innerHeight ? event.clientY + 18 : event.clientY - height - 10) + 'px';
}

function key(place, names, colours) {
  const row = place.appendChild(document.createElement('div'));
  row.className = 'key';
  names.forEach((name, i) => {
    const item = row.appendChild(document.createElement('span'));
    const swatch = item.appendChild(document.createElement('i'));
    swatch.style.background = 'var(--' + colours[i] + ')';
    item.append(name);
  });
}

function niceSteps(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const steps = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) steps.push(+at.toPrecision(12));
  return steps;
}

// --- timeline and memory, of one view on time

const LEFT = 70, RIGHT = 8;
const end = Math.max(...dispatches.map((d) => d.start + d.us), 1);
let view = [0, end];
const charts = [];

function canvasIn(id, height, draw, tell) {
  const place = document.getElementById(id);
  const canvas = place.appendChild(document.createElement('canvas'));
  canvas.style.height = height + 'px';
  const chart = {
    draw() {
      const width = place.clientWidth, scale = devicePixelRatio || 1;
      canvas.width = width * scale;
      canvas.height = height * scale;
      const c = canvas.getContext('2d');
      c.scale(scale, scale);
      c.font = '12px system-ui, sans-serif';
      const x = (us) => LEFT + (us - view[0]) / (view[1] - view[0]) * (width - LEFT - RIGHT);
      draw(c, width, height, x);
    },
  };
  charts.push(chart);
  const timeAt = (event) => {
    const { left, width } = canvas.getBoundingClientRect();
    return view[0] + (event.clientX - left - LEFT) / (width - LEFT - RIGHT) * (view[1] - view[0]);
  };
  const move = (low, high) => {
    const span = Math.min(Math.max(high - low, end / 1e5), end);
    const from = Math.min(Math.max(low, 0), end - span);
    view = [from, from + span];
    for (const each of charts) each.draw();
  };
  let grip;
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    const at = timeAt(event), factor = Math.exp(event.deltaY * 0.002);
    move(at - (at - view[0]) * factor, at + (view[1] - at) * factor);
  }, { passive: false });
  canvas.addEventListener('pointerdown', (event) => { grip = timeAt(event); canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener('pointerup', () => { grip = undefined; });
  canvas.addEventListener('pointermove', (event) => {
    if (grip !== undefined) {
      const by = grip - timeAt(event);
      move(view[0] + by, view[1] + by);
    }
    const { top } = canvas.getBoundingClientRect();
    showTip(event, tell(timeAt(event), event.clientY - top, (view[1] - view[0]) / (canvas.clientWidth - LEFT - RIGHT)));
  });
  canvas.addEventListener('pointerleave', (event) => showTip(event, ''));
  canvas.addEventListener('dblclick', () => move(0, end));
  return place;
}

function timeAxis(c, width, height, x, labels) {
  c.fillStyle = css('quiet');
  c.strokeStyle = css('line');
  c.textAlign = 'center';
  for (const at of niceSteps(view[0], view[1], width / 90)) {
    c.beginPath(); c.moveTo(x(at), 0); c.lineTo(x(at), height); c.stroke();
    if (labels && x(at) < width - 30) c.fillText(digits(at / 1000) + ' ms', x(at), height + 14);
  }
}

const used = phases.map((_, p) => p).filter((p) => dispatches.some((d) => d.phase === p));
const LANE = 34;
const timeline = canvasIn('timeline', used.length * LANE + 4, (c, width, height, x) => {
  timeAxis(c, width, height, x, false);
  used.forEach((p, lane) => {
    const y = lane * LANE + 4;
    c.fillStyle = css('ink');
    c.textAlign = 'left';
    c.fillText(phases[p], 0, y + 19);
    c.save();
    c.beginPath(); c.rect(LEFT, 0, width - LEFT - RIGHT, height); c.clip();
    for (const d of dispatches) {
      if (d.phase !== p || d.start > view[1] || d.start + d.us < view[0]) continue;
      const x0 = x(d.start), wide = Math.max(x(d.start + d.us) - x0, 0.7);
      c.fillStyle = css(PHASE_COLOURS[p]);
      c.fillRect(x0, y, wide > 2 ? wide - 0.6 : wide, LANE - 8);
      if (wide < 44) continue;
      c.fillStyle = css('paper');
      c.save();
      c.beginPath(); c.rect(x0, y, wide - 4, LANE); c.clip();
      c.fillText(d.label, Math.max(x0, LEFT) + 4, y + 17);
      c.restore();
    }
    c.restore();
  });
}, (at, y, usPerPixel) => {
  const p = used[Math.floor((y - 4) / LANE)];
  const near = dispatches.filter((d) => d.phase === p && d.start - 2 * usPerPixel <= at && at <= d.start + d.us + 2 * usPerPixel);
  const distance = (d) => Math.max(d.start - at, at - d.start - d.us, 0);
  const d = near.sort((a, b) => distance(a) - distance(b))[0];
  if (!d) return '';
  return [d.label + ', ' + digits(d.us / 1000) + ' ms', [d.op, d.layer].filter(Boolean).join(', '), rate(d)].filter(Boolean).join('\\n');
});

const total = (point) => point.slice(1).reduce((a, b) => a + b, 0);
const MEMORY = 240;
const memory = canvasIn('memory', MEMORY + 22, (c, width, height, x) => {
  const top = peak.bytes * 1.12, y = (bytes) => MEMORY - bytes / top * (MEMORY - 4);
  timeAxis(c, width, MEMORY, x, true);
  c.textAlign = 'right';
  for (const at of niceSteps(0, top / 2 ** 20, 5)) {
    c.fillStyle = css('quiet');
    c.fillText(at + ' MiB', LEFT - 6, Math.min(y(at * 2 ** 20) + 4, MEMORY));
    c.beginPath(); c.moveTo(LEFT, y(at * 2 ** 20)); c.lineTo(width - RIGHT, y(at * 2 ** 20)); c.stroke();
  }
  c.save();
  c.beginPath(); c.rect(LEFT, 0, width - LEFT - RIGHT, height); c.clip();
  categories.forEach((_, k) => {
    const sum = (point, to) => point.slice(1, to + 1).reduce((a, b) => a + b, 0);
    const edge = (to) => points.flatMap((point, i) => {
      const next = points[i + 1]?.[0] ?? end;
      return [[x(point[0]), y(sum(point, to))], [x(next), y(sum(point, to))]];
    });
    c.beginPath();
    for (const [a, b] of edge(k + 1)) c.lineTo(a, b);
    for (const [a, b] of edge(k).reverse()) c.lineTo(a, b);
    c.closePath();
    c.fillStyle = css(CATEGORY_COLOURS[k]);
    c.globalAlpha = 0.75;
    c.fill();
    c.globalAlpha = 1;
  });
  const level = (bytes, dash, words, below) => {
    c.strokeStyle = c.fillStyle = css('ink');
    c.setLineDash(dash);
    c.beginPath(); c.moveTo(LEFT, y(bytes)); c.lineTo(width - RIGHT, y(bytes)); c.stroke();
    c.setLineDash([]);
    c.textAlign = 'right';
    c.fillText(words, width - RIGHT - 4, y(bytes) + (below ? 14 : -5));
  };
  level(peak.bytes, [], 'peak ' + mib(peak.bytes), false);
  level(peak.needed, [5, 4], 'needed ' + mib(peak.needed), true);
  c.beginPath(); c.arc(x(peak.us), y(peak.bytes), 4, 0, 7); c.fill();
  c.restore();
}, (at) => {
  const point = points.findLast((p) => p[0] <= at) ?? points[0];
  const parts = categories.map((name, k) => point[k + 1] > 0 ? name + ' ' + mib(point[k + 1]) : '').filter(Boolean);
  return [mib(total(point)) + ' live at ' + digits(Math.max(at, 0) / 1000) + ' ms', ...parts].join('\\n');
});
const shown = categories.map((_, k) => k).filter((k) => points.some((point) => point[k + 1] > peak.bytes / 1000));
key(memory, shown.map((k) => categories[k]), shown.map((k) => CATEGORY_COLOURS[k]));

// --- roofline

function roofline() {
  const place = document.getElementById('roofline');
  const width = Math.max(place.clientWidth, 320), height = 420, left = 56, bottom = 44, top = 14, right = 12;
  const dots = rows.filter((r) => r.ms > 0);
  const counted = dots.filter((r) => r.flops > 0);
  const ridge = roof.gflops / roof.gbs;
  const xs = [ridge / 10, ridge * 4, ...counted.map((r) => r.intensity)];
  const low = 10 ** Math.floor(Math.log10(Math.min(...xs)) - 0.4), high = 10 ** Math.ceil(Math.log10(Math.max(...xs)));
  // Without arithmetic there is no rate of it: such kernels stand where their bytes a second would be at the left edge.
  const at = (r) => r.flops > 0 ? [r.intensity, r.gflops] : [low, r.gbs * low];
  const ys = dots.map((r) => at(r)[1]);
  const floor = 10 ** Math.floor(Math.log10(Math.max(Math.min(...ys), roof.gflops / 1e4))), ceiling = 2 * Math.max(roof.gflops, ...ys);
  const log = (v, a, b) => Math.log(v / a) / Math.log(b / a);
  const x = (v) => left + log(v, low, high) * (width - left - right);
  const y = (v) => height - bottom - log(Math.max(v, floor), floor, ceiling) * (height - bottom - top);
  const parts = [];
  const decades = (a, b) => Array.from({ length: Math.floor(Math.log10(b / a) + 1e-6) + 1 }, (_, i) => +(a * 10 ** i).toPrecision(1));
  for (const v of decades(low, high)) parts.push('<path d="M' + x(v) + ' ' + top + 'V' + (height - bottom) + '" stroke="var(--line)"/><text x="' + x(v) + '" y="' + (height - bottom + 16) + '" text-anchor="' + (v === high ? 'end' : 'middle') + '">' + v + '</text>');
  for (const v of decades(floor, ceiling)) parts.push('<path d="M' + left + ' ' + y(v) + 'H' + (width - right) + '" stroke="var(--line)"/><text x="' + (left - 6) + '" y="' + (y(v) + 4) + '" text-anchor="end">' + v + '</text>');
  parts.push('<text x="' + (left + width) / 2 + '" y="' + (height - 6) + '" text-anchor="middle">operations a byte</text>');
  parts.push('<text transform="translate(12 ' + (height - bottom) / 2 + ') rotate(-90)" text-anchor="middle">GFLOP/s</text>');
  const start = Math.max(low, floor / roof.gbs);
  parts.push('<path d="M' + x(start) + ' ' + y(start * roof.gbs) + 'L' + x(ridge) + ' ' + y(roof.gflops) + 'H' + (width - right) + '" fill="none" stroke="var(--ink)" stroke-width="1.6"/>');
  parts.push('<text x="' + (width - right) + '" y="' + (y(roof.gflops) - 6) + '" text-anchor="end">' + digits(roof.gflops) + ' GFLOP/s</text>');
  const slope = Math.atan2(y(start * roof.gbs) - y(roof.gflops), x(ridge) - x(start)) * -180 / Math.PI;
  const middle = Math.sqrt(start * ridge);
  parts.push('<text transform="translate(' + x(middle) + ' ' + (y(middle * roof.gbs) - 7) + ') rotate(' + slope + ')" text-anchor="middle">' + digits(roof.gbs) + ' GB/s</text>');
  const most = Math.max(...dots.map((r) => r.ms));
  for (const r of dots) {
    const [px, py] = at(r), radius = 3 + 21 * Math.sqrt(r.ms / most), colour = 'var(--' + PHASE_COLOURS[phases.indexOf(r.phase)] + ')';
    parts.push('<circle data-row="' + rows.indexOf(r) + '" cx="' + x(px) + '" cy="' + y(py) + '" r="' + radius + '" fill="' + colour + '" fill-opacity=".45" stroke="' + colour + '"/>');
  }
  place.innerHTML = '<svg viewBox="0 0 ' + width + ' ' + height + '">' + parts.join('') + named(dots, at, x, y, most, width) + '</svg>';
  key(place, used.map((p) => phases[p]), used.map((p) => PHASE_COLOURS[p]));
  place.onpointermove = (event) => {
    const r = rows[event.target.dataset?.row];
    showTip(event, r && r.name + ', ' + r.phase + '\\n' + digits(r.ms) + ' ms, ' + (100 * r.share).toFixed(1) + ' % of the step, ' + r.calls + ' calls\\n' + rate(r));
  };
  place.onpointerleave = (event) => showTip(event, '');
}

// The slowest kernels bear their names, as far as there is room.
function named(dots, at, x, y, most, width) {
  const taken = dots.slice(0, 8).map((r) => {
    const [px, py] = at(r), radius = 2 + 14 * Math.sqrt(r.ms / most);
    return [x(px) - radius, y(py) - radius, x(px) + radius, y(py) + radius];
  });
  return dots.slice(0, 8).map((r, own) => {
    const [px, py] = at(r), radius = 3 + 21 * Math.sqrt(r.ms / most), wide = r.name.length * 6.5;
    const onLeft = x(px) + radius + wide > width;
    const [tx, ty] = [x(px) + (onLeft ? -radius - 4 : radius + 4), y(py) + 4];
    const box = [onLeft ? tx - wide : tx, ty - 12, onLeft ? tx : tx + wide, ty];
    if (taken.some((b, i) => i !== own && box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3])) return '';
    taken.push(box);
    return '<text x="' + tx + '" y="' + ty + '" text-anchor="' + (onLeft ? 'end' : 'start') + '" pointer-events="none">' + r.name.replaceAll('<', '&lt;') + '</text>';
  }).join('');
}

function drawAll() {
  for (const chart of charts) chart.draw();
  roofline();
}
drawAll();
addEventListener('resize', drawAll);
dark.addEventListener('change', drawAll);
`;
