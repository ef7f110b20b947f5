import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { plotScript } from './page-script.ts';

/** What fills a page. */
export interface Page {
  readonly title: string;
  /** HTML below the title. */
  readonly body: string;
  /** Constants of the script, by name. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** Runs when the body is there, with `plot` and `groupedBars` of page-script.ts at hand. */
  readonly script?: string;
}

/** One HTML file that needs nothing else: style for light and dark, uPlot, the data and the script that draws them. */
export async function htmlPage({ title, body, data = {}, script = '' }: Page): Promise<string> {
  const [plotCode, plotStyle] = await Promise.all([plotFile('uPlot.iife.min.js'), plotFile('uPlot.min.css')]);
  const constants = Object.entries(data).map(([name, value]) => `const ${name} = ${json(value)};`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title>
<style>${plotStyle}${style}</style></head>
<body><main>
<h1>${text(title)}</h1>
${body}
</main>
<script>${plotCode}</script>
<script>${constants.join('\n')}
${plotScript}
${script}</script>
</body></html>
`;
}

/** JSON that may stand in a script: no "</script>" within. */
const json = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

const plotFile = (name: string): Promise<string> =>
  readFile(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), 'utf8');

/** Text as HTML shows it. */
export const text = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** A table of texts. With a head, columns of numbers stand to the right: all but the first `words`. */
export function tableHtml(
  rows: readonly (readonly string[])[],
  { head, words = 1 }: { head?: readonly string[]; words?: number } = {},
): string {
  const cell = (tag: string) => (value: string, i: number) =>
    `<${tag}${head && i >= words ? ' class="number"' : ''}>${text(value)}</${tag}>`;
  const line = (cells: readonly string[], tag: string) => `<tr>${cells.map(cell(tag)).join('')}</tr>`;
  const body = rows.map((row) => line(row, 'td')).join('');
  if (!head) return `<table>${body}</table>`;
  return `<div class="wide"><table><thead>${line(head, 'th')}</thead><tbody>${body}</tbody></table></div>`;
}

const style = `
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fdfdfc; --line: #d8d8d4; --quiet: #6a6e73; --tint: #f1f1ee;
  --blue: #2f7ed8; --orange: #d9722e; --green: #2f9455; --purple: #8a5cc7; --red: #c9444b; --teal: #2a97a0; --yellow: #c9a227; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e0; --paper: #16181a; --line: #3a3d40; --quiet: #9a9ea3;
  --tint: #212427; --blue: #5a9ff0; --orange: #ee9152; --green: #55bb7c; --purple: #b08be8; --red: #ea6f75; --teal: #52bcc5; --yellow: #e0c050; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; } h3 { font-size: 1rem; margin: 1rem 0 .2rem; }
.summary { font-size: 1.1rem; } .quiet { color: var(--quiet); font-size: .9rem; }
figure { margin: 1rem 0; overflow-x: auto; } img { max-width: 100%; image-rendering: auto; display: block; }
figcaption { color: var(--quiet); font-size: .9rem; }
.wide { overflow-x: auto; } .wide td { white-space: nowrap; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
td, th { border-bottom: 1px solid var(--line); padding: .2rem .9rem .2rem 0; vertical-align: top; text-align: left; }
th { color: var(--quiet); font-weight: 600; font-size: .85rem; vertical-align: bottom; } .number { text-align: right; }
code, pre { background: var(--tint); border-radius: 4px; font: .9em/1.45 ui-monospace, monospace; }
code { padding: .1em .3em; } pre { padding: .7rem .9rem; overflow-x: auto; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; margin-top: 1.5rem; }
.plots > div { flex: 1 1 420px; min-width: 0; }
.u-legend { color: var(--ink); font-size: .85rem; } .u-legend td, .u-legend th { border: 0; }
.named .u-legend .u-series:first-child { display: none; } .u-title { font-size: 1rem; }
details { margin-top: .8rem; } summary { cursor: pointer; }
`;
