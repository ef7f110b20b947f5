/**
 * Charts of a page, in the page's own JavaScript; uPlot is there before it.
 *
 * plot(id, { title, x, series, xLabel, yLabel, names, logX, logY, xRange, yRange, height }) draws into the element of that id
 * and takes the element away if there is nothing to draw. A series is { label, y, x?, kind?, bare?, colour?, dash?, fill?, notes? }:
 *   kind    'line' (default), 'steps', 'points' or 'bars';
 *   x       its own positions, if it has not those of the plot;
 *   bare    true for a line without a mark at each point;
 *   colour  'blue', 'orange', 'green', 'purple', 'red', 'teal', 'yellow' or 'quiet', as the style has them for light and dark;
 *   notes   a text for each point, which the legend shows under the cursor.
 * names stand under the x axis at 0, 1, 2, ... instead of numbers, on end where they need it: the plot is then higher.
 *
 * groupedBars(id, { title, groups, series, yLabel, height }) draws bars side by side: a series is { label, values, colour? },
 * with one value, or null, for each of the groups.
 */
export const plotScript = `
const COLOURS = ['blue', 'orange', 'green', 'purple', 'red', 'teal', 'yellow'];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const dark = matchMedia('(prefers-color-scheme: dark)');
const short = (v) => v == null ? '' : Math.abs(v) >= 100 ? v.toFixed(0) : String(+v.toPrecision(3));

function plot(id, { title, x = [], series, xLabel = '', yLabel = '', names, logX, logY, xRange, yRange, height = 300, barWidth = 0.8 }) {
  const place = document.getElementById(id);
  const own = series.some((s) => s.x);
  const points = series.flatMap((s, i) => (s.x ?? x).map((at, j) => ({ at, i, y: s.y[j], note: s.notes?.[j] })));
  if (points.length === 0) { place.remove(); return; }
  if (own) points.sort((a, b) => a.at - b.at);
  const data = own
    ? [points.map((p) => p.at), ...series.map((_, i) => points.map((p) => (p.i === i ? p.y : null)))]
    : [x, ...series.map((s) => s.y)];
  const note = (i, j) => own ? points[j].note : series[i].notes?.[j];
  // Under the cursor each series shows its own nearest point.
  const nearest = (u, s, at) => {
    const y = at == null ? [] : u.data[s];
    for (let d = 0; s > 0 && d < y.length; d++) {
      if (y[at - d] != null) return at - d;
      if (y[at + d] != null) return at + d;
    }
    return at;
  };
  const axis = (label, more) => ({
    stroke: () => css('ink'), grid: { stroke: () => css('line'), width: 1 }, ticks: { stroke: () => css('line'), width: 1 },
    label, labelSize: label ? 24 : 0, ...more,
  });
  const longest = names ? 6.8 * Math.max(...names.map((name) => name.length)) : 0;
  const onEnd = names && longest * names.length > (place.clientWidth || 500) - 80;
  if (onEnd) height += longest;
  const named = names && { ...(onEnd && { rotate: -90, size: 12 + longest }), splits: () => names.map((_, i) => i), values: () => names, grid: { show: false }, ticks: { show: false } };
  const lines = series.map((s, i) => {
    const { kind = 'line' } = s;
    const colour = () => css(s.colour ?? COLOURS[i % COLOURS.length]);
    const faint = () => colour() + '33';
    return {
      label: s.label, stroke: colour, width: kind === 'bars' ? 0 : 2, dash: s.dash, spanGaps: true,
      fill: kind === 'bars' ? colour : s.fill ? faint : undefined,
      paths: kind === 'bars' ? uPlot.paths.bars({ size: [barWidth, 64] }) : kind === 'steps' ? uPlot.paths.stepped({ align: 1 })
        : kind === 'points' ? () => null : undefined,
      points: kind === 'points' ? { show: true, size: 9, fill: colour } : kind === 'line' && !s.bare ? {} : { show: false },
      value: (u, v, si, j) => [j == null ? '' : note(si - 1, j), short(v)].filter(Boolean).join(': '),
    };
  });
  // Above each bar its value, where there is room.
  const numbers = (u) => {
    const { ctx } = u, size = 11 * devicePixelRatio;
    ctx.save();
    Object.assign(ctx, { font: size + 'px system-ui, sans-serif', textAlign: 'center', fillStyle: css('ink') });
    const room = Math.abs(u.valToPos(x[1], 'x', true) - u.valToPos(x[0], 'x', true));
    const label = (v) => v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v >= 0.1 ? v.toFixed(2) : short(v);
    const fits = series.every((s) => s.kind !== 'bars' || s.y.every((v) => v == null || ctx.measureText(label(v)).width <= room));
    if (fits) series.forEach((s, i) => s.kind === 'bars' && u.data[i + 1].forEach((v, j) => {
      if (v == null || !u.series[i + 1].show) return;
      ctx.fillText(label(v), u.valToPos(u.data[0][j], 'x', true), u.valToPos(Math.max(v, 0), 'y', true) - size / 2);
    }));
    ctx.restore();
  };
  const width = () => place.clientWidth || 500;
  const chart = new uPlot({
    title, width: width(), height, class: names ? 'named' : 'numbered', hooks: { draw: [numbers] }, cursor: { dataIdx: nearest, drag: { setScale: !names } },
    scales: {
      x: { time: false, distr: logX ? 3 : 1, range: names ? [-0.5, names.length - 0.5] : xRange },
      y: { distr: logY ? 3 : 1, range: yRange ?? (series.some((s) => s.kind === 'bars' || s.fill) && !logY ? (u, low, high) => [Math.min(0, low), (high || 1) * 1.08] : undefined) },
    },
    axes: [axis(xLabel, named), axis(yLabel, { size: 64, values: logY || logX ? (u, splits) => splits.map(short) : undefined })],
    series: [{ label: xLabel || 'at', value: (u, v) => names && v != null ? names[Math.round(v)] ?? '' : short(v) }, ...lines],
  }, data, place);
  addEventListener('resize', () => chart.setSize({ width: width(), height }));
  dark.addEventListener('change', () => chart.redraw(false, true));
}

function groupedBars(id, { groups, series, ...options }) {
  const slot = 0.84 / series.length;
  const x = groups.flatMap((_, g) => series.map((_, s) => g + (s - (series.length - 1) / 2) * slot));
  const bars = series.map((s, i) => ({
    ...s, kind: 'bars', y: groups.flatMap((_, g) => series.map((_, j) => (j === i ? s.values[g] : null))),
  }));
  plot(id, { ...options, names: groups, x, series: bars, barWidth: 0.92 });
}
`;
