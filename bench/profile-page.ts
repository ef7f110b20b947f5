import { htmlPage, tableHtml, text } from '../io/page.ts';
import { CATEGORIES } from './memory-timeline.ts';
import {
  GROUPINGS,
  type Grouping,
  momentOf,
  PHASES,
  type Profile,
  type ProfileFacts,
  type ProfileRow,
  phaseOf,
  profileFacts,
  profileRows,
  ratesOf,
} from './profile.ts';
import { profileScript } from './profile-page-script.ts';

/** Where a profile was made. */
export interface ProfileOrigin {
  readonly device: string;
  readonly commit: string | null;
  readonly recipe: string;
}

/** One HTML file: timeline of the step with its memory, roofline, tables by kernel, op and layer, and what lives at the peak. */
export function profilePage(profile: Profile, { device, commit, recipe }: ProfileOrigin): Promise<string> {
  const facts = profileFacts(profile, 'kernel');
  const { what, shape, passes, parameters, steps, roof, ms, memory } = facts;
  const many = passes > 1 ? `${passes} passes of ` : '';
  const body = `
<p class="summary">${what === 'inference' ? 'A forward pass' : 'A training step'} takes ${number(ms.step)} ms on the device
and ${mib(memory.peakBytes)} of its memory: ${memory.ratio.toFixed(2)} times what it needs.</p>
<p class="quiet">${text(device)}; commit ${text(commit ?? 'unknown')}. ${parameters.toLocaleString('en')} parameters, input
${many}${shape.join(' x ')}; the median of ${steps}. Every dispatch is timed in a pass of its own, so the sum is a little more than the
step takes. Peak rates measured in the same run: ${number(roof.gflops)} GFLOP/s, ${number(roof.gbs)} GB/s; an empty dispatch takes
${number(roof.launchUs)} µs.</p>
${phaseTable(facts)}
<h2>Time and memory</h2>
<p class="quiet">One lane a phase; below, live device memory by what it is for. Wheel zooms, dragging moves, a double click shows all.</p>
<div id="timeline" class="drawing"></div><div id="memory" class="drawing"></div>
<h2>Roofline</h2>
<p class="quiet">Each dot is a kernel of one phase, as large as the time it takes; distance below the roof is what could be gained. Kernels
without arithmetic stand at the left edge. Bytes are those of all bindings, each counted once a dispatch, and operations those
of the direct algorithm. Dots above the roof work on arrays that lie in caches, or save operations (padding, Winograd).</p>
<div id="roofline" class="drawing"></div>
<h2>Kernels</h2>
${rowTable(facts.rows, 'kernel')}
${GROUPINGS.slice(1)
  .map((by) => `<details><summary>By ${by}</summary>${rowTable(profileRows(profile, by), by)}</details>`)
  .join('\n')}
<h2>Memory at the peak</h2>
${peakText(memory)}`;
  return htmlPage({
    title: `${recipe}: ${what}`,
    body: `<style>${style}</style>${body}`,
    data: pageData(profile, facts.rows),
    script: profileScript,
  });
}

function pageData(profile: Profile, rows: readonly ProfileRow[]) {
  const { times, roof, memory } = profile;
  const dispatches = times.map((time) => {
    const { gflops, gbs, roofline, bound } = ratesOf([time], roof);
    const { label, layer, op, start, us } = time;
    return { label, layer, op, phase: PHASES.indexOf(phaseOf(time)), start, us, gflops, gbs, roofline, bound };
  });
  const points = memory.points.map(({ at, by }) => [
    momentOf(profile, at),
    ...CATEGORIES.map((category) => by[category]),
  ]);
  const peak = { us: momentOf(profile, memory.peak.at), bytes: memory.peak.live, needed: memory.liveness.bytes };
  return { dispatches, phases: PHASES, categories: CATEGORIES, points, peak, roof, rows };
}

const ratesHead = ['GFLOP/s', 'GB/s', 'FLOP/B', 'of the roofline', 'bound by'];
const rates = ({ flops, gflops, gbs, intensity, roofline, bound }: Omit<ProfileRow, 'name' | 'phase' | 'share'>) => [
  ...[flops > 0 ? number(gflops) : '', number(gbs), flops > 0 ? number(intensity) : ''],
  ...[percent(roofline), bound],
];

function phaseTable({ phases, ms }: ProfileFacts): string {
  const rows = phases.map((part) => [
    ...[part.phase, String(part.calls), number(part.ms), percent(part.ms / ms.step), ...rates(part)],
  ]);
  return tableHtml(rows, { head: ['phase', 'dispatches', 'ms', 'of the step', ...ratesHead] });
}

function rowTable(rows: readonly ProfileRow[], by: Grouping): string {
  const lines = rows.map((row) => [
    ...[row.name, row.phase, String(row.calls), row.ms.toFixed(3), percent(row.share), ...rates(row)],
  ]);
  return tableHtml(lines, { head: [by, 'phase', 'calls', 'ms', 'of the step', ...ratesHead], words: 2 });
}

function peakText({ peakBytes, peakDuring, neededBytes, neededDuring, ...memory }: ProfileFacts['memory']): string {
  const { ratio, usedBytes, idleBytes, slackBytes, atPeak, peakBy } = memory;
  const parts = [
    ['in use just then', usedBytes],
    ['held, but idle', idleBytes],
    ['slack: blocks larger than their tensors', slackBytes],
    ['peak', peakBytes],
    ['needed', neededBytes],
  ] as const;
  const tensors = atPeak.map((tensor) => [
    ...[tensor.name, tensor.category, tensor.bornAt?.phase ?? 'before', tensor.idle ?? ''],
    ...[kib(tensor.bytes), kib(tensor.blockBytes), percent(tensor.blockBytes / peakBytes)],
  ]);
  const inside = atPeak
    .filter(({ parts: own }) => own.length > 1)
    .flatMap(({ parts: own, category }) => own.map((part) => [part.name, category, kib(part.bytes)]));
  const within = tableHtml(inside, { head: ['tensor', 'what for', 'KiB'], words: 2 });
  const uses = CATEGORIES.filter((category) => peakBy[category] > 0).map((category) => [
    category,
    mib(peakBy[category]),
  ]);
  return `<p>The peak of ${mib(peakBytes)} is reached in <code>${text(peakDuring)}</code>. If every tensor lived from its first use to its
last, in exactly its bytes, ${mib(neededBytes)} would do, in <code>${text(neededDuring)}</code>: the peak is ${ratio.toFixed(2)} times that.</p>
<div class="plots"><div>${tableHtml(
    parts.map(([name, bytes]) => [name, mib(bytes), percent(bytes / peakBytes)]),
    { head: ['of the peak', 'bytes', 'share'] },
  )}</div><div>${tableHtml(uses, { head: ['what for', 'bytes'] })}</div></div>
<h3>What is alive at the peak</h3>
${tableHtml(tensors, { head: ['tensor', 'what for', 'made in', 'idle', 'KiB', 'of blocks', 'of the peak'], words: 4 })}
${inside.length > 0 ? `<details><summary>Tensors that lie together in one buffer</summary>${within}</details>` : ''}`;
}

const number = (n: number): string => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));
const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const mib = (bytes: number): string =>
  bytes < 2 ** 20 ? `${(bytes / 2 ** 10).toFixed(0)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const kib = (bytes: number): string => (bytes / 1024).toFixed(bytes < 10_240 ? 1 : 0);

const style = `
.drawing { position: relative; margin: .5rem 0 1rem; } .drawing canvas, .drawing svg { display: block; width: 100%; }
.drawing canvas { touch-action: none; cursor: grab; } .drawing svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; } .key i { display: inline-block; width: .8em; height: .8em;
  border-radius: 2px; margin-right: .4em; vertical-align: -.05em; }
#tip { position: fixed; z-index: 9; pointer-events: none; background: var(--paper); border: 1px solid var(--line); border-radius: 6px;
  padding: .3rem .6rem; font-size: .85rem; white-space: pre-line; box-shadow: 0 2px 8px #0003; max-width: 26rem; }
`;
