import { useState } from 'preact/hooks';
import { lastOf, type Outcome } from '../../lab/hooks.ts';
import { Choice, Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import { EDGE, filterNames, filters, outputEdge, placeOf, type Result, type Settings, TAPS } from './compute.ts';
import { Grid } from './grid.tsx';

export interface Shared {
  readonly settings: Settings;
  readonly change: (part: Partial<Settings>) => void;
  readonly outcome: Outcome<Result>;
}

export const taps = Array.from({ length: TAPS * TAPS }, (_, i) => [Math.floor(i / TAPS), i % TAPS] as const);

/** What all figures on one convolution share. */
export function Controls({ settings, change }: Pick<Shared, 'settings' | 'change'>) {
  return (
    <>
      <Choice label="Filter" value={settings.filter} of={filterNames} onChange={(filter) => change({ filter })} />
      <Slider label="Stride" value={settings.stride} min={1} max={3} onChange={(stride) => change({ stride })} />
      <Slider label="Padding" value={settings.padding} min={0} max={2} onChange={(padding) => change({ padding })} />
      <Slider
        label="Dilation"
        value={settings.dilation}
        min={1}
        max={3}
        onChange={(dilation) => change({ dilation })}
      />
    </>
  );
}

/** Numbers of about one: four digits are enough to compare them by eye. */
export const digits = (value: number | undefined): string =>
  value === undefined ? '…' : value.toFixed(4).replace('-', '−');

const factor = (weight: number): string => {
  const text = String(Number(weight.toFixed(3)));
  return weight < 0 ? `(${text.replace('-', '−')})` : text;
};

/** One output pixel and what it is made of. */
export function WindowFigure({ settings, change, outcome }: Shared) {
  const edge = outputEdge(settings);
  const [[row, column], setPlace] = useState<readonly [number, number]>([1, 4]);
  const at = [Math.min(row, edge - 1), Math.min(column, edge - 1)] as const;
  const now = lastOf(outcome);
  const current = outcome.kind === 'done' ? outcome.value : undefined;
  const filter = filters[settings.filter];
  const places = taps.map(([r, c]) => [placeOf(settings, at[0], r), placeOf(settings, at[1], c)] as const);
  const seen = places.map(([r, c]) => {
    const inside = r >= 0 && r < EDGE && c >= 0 && c < EDGE;
    return inside ? (now?.x[r * EDGE + c] ?? 0) : 0;
  });
  const sum = seen.reduce((total, value, i) => total + value * filter[i], 0);
  return (
    <Figure id="window" title="One output pixel and its window" recorded="convolution-window.png" outcome={outcome}>
      <Controls settings={settings} change={change} />
      <Slider label="Output row" value={at[0]} min={0} max={edge - 1} onChange={(r) => setPlace([r, at[1]])} />
      <Slider label="Output column" value={at[1]} min={0} max={edge - 1} onChange={(c) => setPlace([at[0], c])} />
      <div class="row">
        <Grid
          values={now?.x}
          edge={EDGE}
          padding={settings.padding}
          look="grey"
          window={places}
          caption="x, the input, with its padding of zeros; red: the window"
        />
        <Grid values={filter} edge={TAPS} look="signed" numbers caption="w, the filter" />
        <Grid
          values={current?.y}
          edge={edge}
          look="signed"
          numbers
          chosen={at}
          onPoint={(r, c) => setPlace([r, c])}
          caption="y, the output; press on a pixel to see its window"
        />
      </div>
      <p class="terms">{seen.map((value, i) => `${i ? ' + ' : ''}${value.toFixed(2)} · ${factor(filter[i])}`)}</p>
      <Values>
        <Value name="rows and columns of the output">{edge}</Value>
        <Value name="sum of the nine products">{digits(current && sum)}</Value>
        <Value name="the device's output there">{digits(current?.y[at[0] * edge + at[1]])}</Value>
      </Values>
    </Figure>
  );
}
