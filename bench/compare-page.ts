import { htmlPage, tableHtml, text } from '../io/page.ts';
import { type Column, type Entry, type Group, meanRatio, ratio } from './compare.ts';
import { milliseconds, number, percent, times } from './format.ts';

const meaning =
  'Median milliseconds, GFLOP/s where counted, and how many times as fast the first column is. Compare what ran on one machine.';

/** Its head first: an item a line, a column a file. */
export function groupTable(group: Group): string[][] {
  const cell = (entry: Entry | undefined, faster: number | undefined) => {
    if (!entry) return '';
    if (entry.ms === null) return 'none';
    const share = entry.share === undefined ? '' : `, ${percent(entry.share)}`;
    const rate = entry.gflops ? ` (${number(entry.gflops)}${share})` : '';
    return `${milliseconds(entry.ms)}${rate}${faster === undefined ? '' : ` ${times(faster)}`}`;
  };
  const lines = group.items.map((item) => [
    item,
    ...group.columns.map((column, i) => cell(column.entries.get(item), i > 0 ? ratio(group, item, column) : undefined)),
  ]);
  const mean = (column: Column, i: number) => {
    const m = i > 0 ? meanRatio(group, column) : undefined;
    return m ? `${times(m.ratio)} over ${m.items}` : '';
  };
  const last = group.columns.length > 1 ? [['geometric mean', ...group.columns.map(mean)]] : [];
  return [['', ...group.columns.map(({ label }) => label)], ...lines, ...last];
}

/** Its head first: separable over full, the better of fused and unfused. */
export function gainTable({ gains = [], columns }: Group): string[][] {
  const head = ['separable over full', 'promised', ...columns.map(({ label }) => label)];
  return [head, ...gains.map(({ item, promised, obtained }) => [item, times(promised), ...obtained.map(times)])];
}

const sourcesOf = ({ columns }: Group): string[] =>
  columns.map(({ label, file, facts }) => {
    const told = Object.entries(facts).filter(([, fact]) => fact);
    return `${label} (${file}): ${told.map(([key, fact]) => `${key} ${fact}`).join('; ')}`;
  });

/** The comparison for readers of the repository. */
export function compareMarkdown(groups: readonly Group[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const tableOf = ([head, ...rows]: string[][]) =>
    [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
  const part = (group: Group) => {
    const gains = group.gains ? `\n\n${tableOf(gainTable(group))}` : '';
    const sources = sourcesOf(group).map((source) => `- ${source}`);
    return `## ${group.title}\n\n${sources.join('\n')}${gains}\n\n${tableOf(groupTable(group))}\n`;
  };
  return `# What was measured\n\n${meaning} Written by \`subpixel bench compare\`; with plots in index.html beside it.\n\n${groups.map(part).join('\n')}`;
}

/** The same as a page with plots. */
export function comparePage(groups: readonly Group[]): Promise<string> {
  const sections = groups.map((group, i) => {
    const [head, ...rows] = groupTable(group);
    const [gainHead, ...gains] = gainTable(group);
    return `<h2>${text(group.title)}</h2>
<div class="plots">${group.gains ? `<div id="gain${i}" class="whole"></div>` : ''}<div id="rate${i}" class="whole"></div></div>
${group.gains ? tableHtml(gains, { head: gainHead }) : ''}
<details><summary>Every item</summary>${tableHtml(rows, { head })}</details>
<ul class="quiet">${sourcesOf(group)
      .map((source) => `<li>${text(source)}</li>`)
      .join('')}</ul>`;
  });
  const data = {
    groups: groups.map((group) => {
      const rate = group.items.some((item) => group.columns.some(({ entries }) => entries.get(item)?.gflops));
      return {
        ...{ title: group.title, items: group.items, gains: group.gains ?? [], unit: rate ? 'GFLOP/s' : 'ms' },
        columns: group.columns.map(({ label, entries }) => ({
          label,
          values: group.items.map((item) => entries.get(item)?.[rate ? 'gflops' : 'ms'] || null),
        })),
      };
    }),
  };
  const body = `<p class="summary">${meaning}</p>${sections.join('\n')}<style>.plots > .whole { flex-basis: 100%; }</style>`;
  return htmlPage({ title: 'subpixel: what was measured', body, data, script });
}

const script = `
const own = (k) => COLOURS[k % COLOURS.length];
groups.forEach(({ items, unit, columns, gains }, i) => {
  const shown = items.map((_, j) => j).filter((j) => columns.some((c) => c.values[j] != null));
  if (shown.length > 100) document.getElementById('rate' + i).remove(); // no room for their names: the table has them
  else if (shown.length <= 8) groupedBars('rate' + i, {
    title: unit, groups: shown.map((j) => items[j]), height: 280,
    series: columns.map((c, k) => ({ label: c.label, colour: own(k), values: shown.map((j) => c.values[j]) })),
  });
  else plot('rate' + i, {
    title: unit + ', logarithmic', names: shown.map((j) => items[j]), x: shown.map((_, j) => j), logY: true, height: 380,
    series: columns.map((c, k) => ({ label: c.label, kind: 'points', colour: own(k), y: shown.map((j) => c.values[j]) })),
  });
  if (gains.length > 0) plot('gain' + i, {
    title: 'Separable over full: promised and obtained', names: gains.map((g) => g.item), x: gains.map((_, j) => j), height: 380,
    series: [{ label: 'promised', kind: 'points', colour: 'quiet', y: gains.map((g) => g.promised) },
      ...columns.map((c, k) => ({ label: c.label, kind: 'points', colour: own(k), y: gains.map((g) => g.obtained[k]) }))],
  });
});
`;
