import { useMemo, useState } from 'preact/hooks';
import type { Planes } from '../../../train/degrade.ts';
import { Picture } from '../../lab/picture.tsx';
import { Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import { shrink } from './pictures.ts';

const EDGE = 112;
const SCALE = 4;
/** Cycles per pixel that one sample every SCALE pixels can carry: two samples for each cycle. */
const LIMIT = 1 / (2 * SCALE);
const [MEAN, AMPLITUDE] = [128, 110];

const radius = (i: number, width: number, edge: number): number =>
  Math.hypot((i % width) - (edge - 1) / 2, Math.floor(i / width) - (edge - 1) / 2);

/** Rings whose frequency grows from the centre, in proportion to the distance, to `highest` cycles per pixel at the edge. */
export function zonePlate(edge: number, highest: number): Planes {
  const data = Float32Array.from(
    { length: edge * edge },
    (_, i) => MEAN + AMPLITUDE * Math.cos((2 * Math.PI * highest * radius(i, edge, edge) ** 2) / edge),
  );
  return { width: edge, height: edge, data };
}

/** Root mean square of what is not MEAN where the rings are too fine for the small picture; undefined where none are. */
export function contrastBeyondLimit(picture: Planes, highest: number): number | undefined {
  const first = ((LIMIT / highest) * picture.width) / 2;
  let [sum, count] = [0, 0];
  picture.data.forEach((value, i) => {
    const r = radius(i, picture.width, picture.width);
    if (r <= first || r > picture.width / 2) return;
    sum += (value - MEAN) ** 2;
    count++;
  });
  return count > 0 ? Math.sqrt(sum / count) : undefined;
}

/** What becomes of patterns too fine for the small grid. */
export function Aliasing() {
  const [highest, setHighest] = useState(0.3);
  const { plate, thinned, bicubic, kept } = useMemo(() => {
    const plate = zonePlate(EDGE, highest);
    const [thinned, bicubic] = (['every', 'bicubic'] as const).map((way) => shrink(plate, way, SCALE));
    const before = contrastBeyondLimit(plate, highest);
    const kept = [thinned, bicubic].map((low) => {
      const after = contrastBeyondLimit(low, highest);
      return before && after !== undefined ? `${((100 * after) / before).toFixed(0)} %` : 'nothing is too fine';
    });
    return { plate, thinned, bicubic, kept };
  }, [highest]);
  return (
    <Figure id="aliasing" title="Rings that become finer outwards, made four times smaller">
      <Slider
        label="Finest rings, at the edge"
        value={highest}
        min={0.05}
        max={0.5}
        step={0.01}
        show={(f) => `${f.toFixed(2)} cycles per pixel`}
        onChange={setHighest}
      />
      <div class="pictures">
        <Picture of={plate} caption="the rings" />
        <Picture of={thinned} caption="one pixel of each square" />
        <Picture of={bicubic} caption="bicubic" />
      </div>
      <Values>
        <Value name="the small grid carries up to">{LIMIT} cycles per pixel</Value>
        <Value name="contrast left beyond that, one pixel of each">{kept[0]}</Value>
        <Value name="contrast left beyond that, bicubic">{kept[1]}</Value>
      </Values>
    </Figure>
  );
}
