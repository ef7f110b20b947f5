/** The report's look, light or dark as the reader's system is. */
export const reportStyle = `
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fdfdfc; --line: #d8d8d4; --quiet: #6a6e73; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e0; --paper: #16181a; --line: #3a3d40; --quiet: #9a9ea3; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .3rem; }
.summary { font-size: 1.1rem; }
figure { margin: 1rem 0; overflow-x: auto; } img { max-width: 100%; image-rendering: auto; display: block; }
figcaption { color: var(--quiet); font-size: .9rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
td { border-bottom: 1px solid var(--line); padding: .2rem .9rem .2rem 0; vertical-align: top; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; margin-top: 1.5rem; }
.plots > div { flex: 1 1 420px; min-width: 0; }
.u-legend { color: var(--ink); } .u-title { font-size: 1rem; }
details { margin-top: .8rem; } summary { cursor: pointer; }
`;

/** Draws the curves; `metrics` and uPlot are there before it. */
export const reportScript = `
const dark = matchMedia('(prefers-color-scheme: dark)').matches;
const ink = dark ? '#e4e4e0' : '#1c1e21', line = dark ? '#3a3d40' : '#d8d8d4';
const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
function plot(id, title, data, series, log) {
  const place = document.getElementById(id);
  if (data[0].length === 0) { place.remove(); return; }
  const options = {
    title, width: place.clientWidth || 500, height: 300,
    scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
    axes: [{ ...axis, label: 'iteration' }, { ...axis, size: 70 }],
    series: [{ label: 'iteration' }, ...series],
  };
  const chart = new uPlot(options, data, place);
  addEventListener('resize', () => chart.setSize({ width: place.clientWidth || 500, height: 300 }));
}
const losses = metrics.filter((m) => 'loss' in m), scores = metrics.filter((m) => 'psnr' in m);
plot('psnr', 'PSNR on held-out frames, dB', [scores.map((m) => m.iteration), scores.map((m) => m.psnr), scores.map((m) => m.bicubic)],
  [{ label: 'network', stroke: '#2f7ed8', width: 2 }, { label: 'bicubic', stroke: '#e07b39', width: 2, dash: [6, 4] }]);
plot('loss', 'Training loss', [losses.map((m) => m.iteration), losses.map((m) => m.loss)],
  [{ label: 'loss', stroke: '#3a9d5d', width: 1.5 }], losses.every((m) => m.loss > 0));
`;
