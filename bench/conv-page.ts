import { htmlPage, tableHtml, text } from '../io/page.ts';
import type { ConvBench, ConvRow } from './conv.ts';
import { drawTaps } from './conv-picture.ts';
import { comparisonTable, formName, headline, rowTable, settingName } from './conv-text.ts';
import { explain, reasonKeys, reasons } from './conv-why.ts';
import { number } from './format.ts';
import type { Origin } from './result.ts';

/** The report of `bench conv`: one HTML file for a reader who has not seen the terminal. */
export function convPage(found: ConvBench, origin: Origin): Promise<string> {
  const { device, commit, date, command, node } = origin;
  const { peak } = device;
  const memory = Math.max(peak.copyGbs, peak.readGbs);
  const body = `
<p class="summary">${text(headline(found))}</p>
<p class="quiet">${text(device.name)}; peak measured in the same run: ${number(peak.gflops)} GFLOP/s, ${number(memory)} GB/s.
Medians of ${device.clock === 'device' ? "the device's own clock" : 'wall time'} after a warm-up; what is compared took turns.</p>
<h2>What is compared</h2>
<div class="compared"><div>${drawTaps([[3, 3, 3]])}<p>A <b>full</b> 3D convolution looks at k×k×k values around each pixel of a clip: k in time, k×k in space.
For C channels that is k³·C² multiply-adds a value.</p></div>
<div>${drawTaps([
    [1, 3, 3],
    [3, 1, 1],
  ])}<p>A <b>separable</b> one looks at k×k values of the same frame first, then at k frames of the result: (k² + k)·C².
<b>Unfused</b>, the tensor between the two goes through memory; <b>fused</b>, one operation does both.</p></div></div>
<p>So arithmetic promises k³ / (k² + k): 2.25x for k = 3, 4.17x for 5, 6.13x for 7. What is obtained depends on how fast each kernel
runs, on memory, on taps that fall outside the clip, which need not be computed, and on kernels that reach the same result with fewer
multiplications (Winograd).</p>
<p class="choices" id="choices"></p>
<h2>Speed-up over the full convolution</h2>
<section class="plots" id="gains"></section>
<h2>Rates</h2>
<p class="quiet">Operations are two for each multiply-add of the direct algorithm, padding included: a kernel
that needs fewer (Winograd) may pass the roof, which is what the adapter's
measured peak and memory allow; each point is one convolution.</p>
<section class="plots"><div id="rates"></div><div id="roof"></div></section>
<h2>Why promised and obtained differ</h2>
<p class="quiet">From the time that arithmetic promises, step by step to the time measured. Every number is computed from this run:
padding from the taps inside the clip, rates from the factors measured alone, memory traffic from the measured bandwidth.</p>
<div class="legend">${['base', ...reasonKeys].map((key) => `<span><i class="${key}"></i>${text(key === 'base' ? 'measured or promised time' : reasons[key as keyof typeof reasons])}</span>`).join('')}</div>
<section class="cards" id="why"></section>
<h2>Numbers</h2>
${tableHtml(comparisonTable(found).slice(1), { head: comparisonTable(found)[0], words: 1 })}
<details><summary>All measurements</summary>${tableHtml(rowTable(found).slice(1), { head: rowTable(found)[0], words: 2 })}</details>
<h2>Where, and how to repeat it</h2>
${tableHtml([
  ['device', device.name],
  ['driver', device.description],
  ['processor', device.processor],
  ['subpixel', commit ? `commit ${commit}` : 'outside a clone'],
  ['date', date],
  ['Node', node],
  [
    'kernel variants',
    Object.entries(device.choices)
      .map(([k, v]) => `${k}: ${v}`)
      .join('; ') || 'default order',
  ],
])}
<pre>git checkout ${text(commit?.replace('+', '') ?? 'main')} &amp;&amp; npm run setup
${text(command)}</pre>
<style>${style}</style>`;
  const data = {
    comparisons: found.comparisons.map((c) => ({ ...c, name: settingName(c), lines: explain(c) })),
    rows: found.rows.map((row: ConvRow) => ({ ...row, name: formName(row), at: settingName(row) })),
    reasons,
    peak: { gflops: peak.gflops, gbs: memory },
  };
  return htmlPage({ title: 'Separable against full 3D convolution', body, data, script });
}

const style = `
.compared { display: flex; flex-wrap: wrap; gap: 2rem; } .compared > div { flex: 1 1 400px; } .compared svg { height: 130px; }
.compared p { margin: .4rem 0; }
.choices { margin: 1.6rem 0 0; position: sticky; top: 0; background: var(--paper); padding: .5rem 0; z-index: 2; }
.choices button { font: inherit; padding: .25rem .9rem; margin-right: .4rem; border: 1px solid var(--line); border-radius: 1rem;
  background: none; color: inherit; cursor: pointer; } .choices button[aria-pressed=true] { background: var(--ink); color: var(--paper); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(500px, 100%), 1fr)); gap: 1.2rem; }
.cards article { border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; } .cards h3 { margin: 0 0 .4rem; }
.cards p { font-size: .88rem; color: var(--quiet); margin: .6rem 0 0; }
.fall { display: grid; grid-template-columns: 11.5rem 1fr 5rem; gap: 2px .6rem; font-size: .85rem; align-items: center; }
.fall div { white-space: nowrap; } .fall div:nth-child(3n) { text-align: right; font-variant-numeric: tabular-nums; } .track { position: relative; height: 15px; }
.track i { position: absolute; height: 100%; border-radius: 2px; min-width: 1px; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .85rem; margin: .6rem 0; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .35rem; vertical-align: -1px; }
.base { background: var(--quiet); } .padding { background: var(--orange); } .spatial { background: var(--blue); }
.temporal { background: var(--teal); } .middle { background: var(--purple); } .algorithm { background: var(--yellow); } .together { background: var(--red); }
.fused { background: var(--green); }
`;

/** Redrawn for the pass that the reader chooses. */
const script = `
const PASSES = [['training', 'forward and backward'], ['forward', 'forward'], ['dx', 'gradient to the input'], ['dw', 'gradient to the weights']];
const byId = (id) => document.getElementById(id);
const groupBy = (list, key) => [...list.reduce((m, x) => m.set(key(x), [...(m.get(key(x)) ?? []), x]), new Map())];
const within = (c) => c.channels + ' channels, ' + c.size.join('×');
const cube = (k) => k + '×' + k + '×' + k;
const fresh = (id) => { const place = byId(id); place.replaceChildren(); return place; };

function gains(list) {
  const place = fresh('gains');
  groupBy(list, within).forEach(([name, cs], i) => {
    place.append(Object.assign(document.createElement('div'), { id: 'gain' + i }));
    const series = [
      { label: 'promised by arithmetic', values: cs.map((c) => c.promised), colour: 'quiet' },
      { label: 'promised by what the kernels multiply', values: cs.map((c) => c.promisedByKernels), colour: 'orange' },
      { label: 'obtained, unfused', values: cs.map((c) => c.obtained), colour: 'blue' },
      { label: 'obtained, fused', values: cs.map((c) => c.obtainedFused), colour: 'green' },
    ].filter((s) => s.values.some((v) => v != null));
    groupedBars('gain' + i, { title: name, groups: cs.map((c) => cube(c.k)), series, yLabel: 'times faster', height: 260 });
  });
}

const FORMS = [['full', 'k×k×k', 'quiet'], ['spatial', '1×k×k', 'blue'], ['temporal', 'k×1×1', 'teal'], ['unfused', 'both, unfused', 'orange'], ['fused', 'both, fused', 'green']];

function rates(list) {
  fresh('rates'); fresh('roof');
  const settings = groupBy(list, (r) => r.channels + 'c ' + r.size[1] + ' k' + r.k);
  byId('rates').style.flexBasis = byId('roof').style.flexBasis = settings.length > 4 ? '100%' : '';
  const rate = (rs, form) => rs.find((r) => r.form === form)?.gflops ?? null;
  const forms = FORMS.filter(([form]) => list.some((r) => r.form === form));
  groupedBars('rates', {
    title: 'GFLOP/s (peak ' + short(peak.gflops) + ')', groups: settings.map(([name]) => name), height: 340,
    series: forms.map(([form, label, colour]) => ({ label, colour, values: settings.map(([, rs]) => rate(rs, form)) })),
  });
  const intensity = (r) => 2 * r.macs / r.bytes;
  const reach = list.map(intensity), knee = peak.gflops / peak.gbs;
  const low = Math.min(knee / 4, ...reach) / 1.5, high = Math.max(knee * 4, ...reach) * 1.5;
  plot('roof', {
    title: 'Roofline', xLabel: 'operations a byte', yLabel: 'GFLOP/s', logX: true, logY: true, height: 340,
    series: [
      { label: 'roof', x: [low, knee, high], y: [low * peak.gbs, peak.gflops, peak.gflops], colour: 'red', bare: true },
      ...forms.map(([form, label, colour]) => {
        const own = list.filter((r) => r.form === form);
        return { label, kind: 'points', colour, x: own.map(intensity), y: own.map((r) => r.gflops), notes: own.map((r) => r.at) };
      }),
    ],
  });
}

function why(list) {
  const place = fresh('why');
  for (const c of list) {
    const most = Math.max(c.fullMs, c.unfusedMs, c.fusedMs ?? 0);
    const steps = [['full ' + cube(c.k), 0, c.fullMs, 'base', true], ['promised: full / ' + c.promised.toFixed(2), 0, c.why.promised, 'base', true]];
    let at = c.why.promised;
    for (const [key, label] of Object.entries(reasons)) {
      const part = c.why[key];
      if (Math.abs(part) < 0.002 * most) continue;
      steps.push([label.replace('k×k', c.k + '×' + c.k).replace('k×1', c.k + '×1'), at, part, key, false]);
      at += part;
    }
    steps.push(['separable, unfused', 0, c.unfusedMs, 'base', true]);
    if (c.fusedMs) steps.push(['separable, fused', 0, c.fusedMs, 'fused', true]);
    const article = document.createElement('article');
    const head = document.createElement('h3');
    head.textContent = within(c) + ', k = ' + c.k + ': ' + c.obtained.toFixed(2) + 'x of ' + c.promised.toFixed(2) + 'x';
    const fall = Object.assign(document.createElement('div'), { className: 'fall' });
    for (const [label, from, length, kind, whole] of steps) {
      const name = document.createElement('div'), track = document.createElement('div'), value = document.createElement('div');
      const bar = Object.assign(document.createElement('i'), { className: kind });
      const left = Math.min(from, from + length);
      bar.style.left = (100 * left / most) + '%'; bar.style.width = (100 * Math.abs(length) / most) + '%';
      track.className = 'track'; track.append(bar);
      name.textContent = label;
      value.textContent = (whole ? '' : length > 0 ? '+' : '−') + short(Math.abs(length)) + ' ms';
      fall.append(name, track, value);
    }
    const words = document.createElement('p');
    words.textContent = c.lines.join(' ');
    article.append(head, fall, words);
    place.append(article);
  }
}

function show(pass) {
  for (const button of byId('choices').children) button.setAttribute('aria-pressed', button.value === pass);
  const list = comparisons.filter((c) => c.pass === pass);
  gains(list); rates(rows.filter((r) => r.pass === pass)); why(list);
}
for (const [value, label] of PASSES) {
  const button = Object.assign(document.createElement('button'), { value, textContent: label, type: 'button' });
  button.onclick = () => show(value);
  byId('choices').append(button);
}
show('training');
`;
