import { useState } from 'preact/hooks';
import { lastOf } from '../../lab/hooks.ts';
import { Choice, Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import { EDGE, filters, type LossName, lossNames, outputEdge, placeOf, TAPS } from './compute.ts';
import { Grid } from './grid.tsx';
import { Controls, digits, type Shared, taps } from './window.tsx';

export interface SharedLoss extends Shared {
  readonly loss: LossName;
  readonly setLoss: (loss: LossName) => void;
}

/** Output positions of one axis whose window holds input position q, and with which tap. */
function reaches(settings: Shared['settings'], q: number): { p: number; k: number }[] {
  const found: { p: number; k: number }[] = [];
  for (let p = 0; p < outputEdge(settings); p++)
    for (let k = 0; k < TAPS; k++) if (placeOf(settings, p, k) === q) found.push({ p, k });
  return found;
}

/** Back to the input: every output that read a pixel returns its gradient through the weight that it was read with. */
export function InputGradient({ settings, change, outcome, loss, setLoss }: SharedLoss) {
  const [[row, column], setPlace] = useState<readonly [number, number]>([4, 5]);
  const edge = outputEdge(settings);
  const now = lastOf(outcome);
  const current = outcome.kind === 'done' ? outcome.value : undefined;
  const filter = filters[settings.filter];
  const readers = reaches(settings, row).flatMap((down) =>
    reaches(settings, column).map((across) => ({ down, across })),
  );
  const sum = readers.reduce(
    (total, { down, across }) =>
      total + (current?.dy[down.p * edge + across.p] ?? 0) * filter[down.k * TAPS + across.k],
    0,
  );
  const at = row * EDGE + column;
  return (
    <Figure
      id="input-gradient"
      title="The gradient of one input pixel"
      recorded="convolution-input.png"
      outcome={outcome}
    >
      <Choice label="The loss is" value={loss} of={lossNames} onChange={setLoss} />
      <Controls settings={settings} change={change} />
      <Slider label="Input row" value={row} min={0} max={EDGE - 1} onChange={(r) => setPlace([r, column])} />
      <Slider label="Input column" value={column} min={0} max={EDGE - 1} onChange={(c) => setPlace([row, c])} />
      <div class="row">
        <Grid
          values={current?.dy}
          edge={edge}
          look="signed"
          numbers
          window={readers.map(({ down, across }) => [down.p, across.p] as const)}
          caption="∂L/∂y; red: outputs that read the pixel"
        />
        <Grid values={[...filter].reverse()} edge={TAPS} look="signed" numbers caption="w, flipped both ways" />
        <Grid
          values={now?.dx}
          edge={EDGE}
          look="signed"
          numbers
          chosen={[row, column]}
          onPoint={(r, c) => setPlace([r, c])}
          caption="∂L/∂x, from the tape; press on a pixel"
        />
      </div>
      <Values>
        <Value name="outputs that read this pixel">{readers.length}</Value>
        <Value name="their gradients times the flipped filter">{digits(current && sum)}</Value>
        <Value name="from the tape">{digits(current?.dx[at])}</Value>
        <Value name="central difference">{digits(current?.differenceX[at])}</Value>
      </Values>
    </Figure>
  );
}

/** Back to the filter: a tap's gradient is what it read, everywhere, weighed with the gradients of what it wrote to. */
export function WeightGradient({ settings, change, outcome, loss, setLoss }: SharedLoss) {
  const [[row, column], setTap] = useState<readonly [number, number]>([0, 0]);
  const edge = outputEdge(settings);
  const now = lastOf(outcome);
  const current = outcome.kind === 'done' ? outcome.value : undefined;
  const outputs = Array.from({ length: edge * edge }, (_, i) => [Math.floor(i / edge), i % edge] as const);
  const places = outputs.map(([r, c]) => [placeOf(settings, r, row), placeOf(settings, c, column)] as const);
  const inside = (q: number) => q >= 0 && q < EDGE;
  const sum = places.reduce(
    (total, [r, c], p) => total + (inside(r) && inside(c) && current ? current.x[r * EDGE + c] * current.dy[p] : 0),
    0,
  );
  const at = taps.findIndex(([r, c]) => r === row && c === column);
  return (
    <Figure id="weight-gradient" title="The gradient of one weight" recorded="convolution-weight.png" outcome={outcome}>
      <Choice label="The loss is" value={loss} of={lossNames} onChange={setLoss} />
      <Controls settings={settings} change={change} />
      <Slider label="Tap row" value={row} min={0} max={TAPS - 1} onChange={(r) => setTap([r, column])} />
      <Slider label="Tap column" value={column} min={0} max={TAPS - 1} onChange={(c) => setTap([row, c])} />
      <div class="row">
        <Grid
          values={now?.x}
          edge={EDGE}
          padding={settings.padding}
          look="grey"
          window={places}
          caption="x; red: all that this tap reads"
        />
        <Grid values={current?.dy} edge={edge} look="signed" numbers caption="∂L/∂y, laid over it" />
        <Grid
          values={now?.dw}
          edge={TAPS}
          look="signed"
          numbers
          chosen={[row, column]}
          onPoint={(r, c) => setTap([r, c])}
          caption="∂L/∂w, from the tape; press on a tap"
        />
      </div>
      <Values>
        <Value name="sum of the products of both">{digits(current && sum)}</Value>
        <Value name="from the tape">{digits(current?.dw[at])}</Value>
        <Value name="central difference">{digits(current?.differenceW[at])}</Value>
      </Values>
    </Figure>
  );
}
