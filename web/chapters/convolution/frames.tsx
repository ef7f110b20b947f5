import { useMemo, useState } from 'preact/hooks';
import { clip, cut, detailedSpot, lumaOf } from '../../lab/clip.ts';
import { lastOf, useLab } from '../../lab/hooks.ts';
import { Choice, Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import { convolveFrames, EDGE, FRAMES, type VolumeName, volumeFilter, volumes } from './compute.ts';
import { Grid } from './grid.tsx';
import { digits } from './window.tsx';

const AREA = EDGE * EDGE;

/** The same small square of FRAMES frames of the clip, luminance 0..1; the last frame stands for those that are missing. */
export function usePatch(): Float32Array | undefined {
  const now = clip.value;
  return useMemo(() => {
    if (!now) return undefined;
    const { x, y } = detailedSpot(now.frames[0], EDGE, 3);
    const out = new Float32Array(FRAMES * AREA);
    for (let t = 0; t < FRAMES; t++) {
      const frame = now.frames[Math.min(t, now.frames.length - 1)];
      out.set(
        lumaOf(cut(frame, x, y, EDGE, EDGE)).data.map((value) => value / 255),
        t * AREA,
      );
    }
    return out;
  }, [now]);
}

const names = Object.fromEntries(Object.entries(volumes).map(([name, { text }]) => [name, text])) as Record<
  VolumeName,
  string
>;

/** A window that reaches over rows, columns and frames. */
export function FramesFigure({ patch }: { patch: Float32Array | undefined }) {
  const [name, setName] = useState<VolumeName>('cube');
  const [[frame, row, column], setPlace] = useState<readonly [number, number, number]>([2, 4, 4]);
  const outcome = useLab((lab) => convolveFrames(lab, patch ?? new Float32Array(FRAMES * AREA), name), [patch, name]);
  const { shape } = volumes[name];
  const [deep, high, wide] = shape.map((k) => (k - 1) / 2);
  const filter = volumeFilter(name);
  let sum = 0;
  const windows: (readonly [number, number])[][] = Array.from({ length: FRAMES }, () => []);
  let tap = 0;
  for (let t = frame - deep; t <= frame + deep; t++)
    for (let r = row - high; r <= row + high; r++)
      for (let c = column - wide; c <= column + wide; c++, tap++) {
        if (Math.min(t, r, c) < 0 || t >= FRAMES || Math.max(r, c) >= EDGE) continue; // zeros
        windows[t].push([r, c]);
        sum += filter[tap] * (patch?.[t * AREA + r * EDGE + c] ?? 0);
      }
  const y = lastOf(outcome);
  const current = outcome.kind === 'done' && patch ? outcome.value : undefined;
  const plane = (values: Float32Array | undefined, t: number) => values?.subarray(t * AREA, (t + 1) * AREA);
  const times = Array.from({ length: FRAMES }, (_, t) => t);
  return (
    <Figure id="frames" title="A window over frames" recorded="convolution-frames.png" outcome={outcome}>
      <Choice label="Filter" value={name} of={names} onChange={setName} />
      <Slider label="Frame" value={frame + 1} min={1} max={FRAMES} onChange={(t) => setPlace([t - 1, row, column])} />
      <Slider label="Row" value={row} min={0} max={EDGE - 1} onChange={(r) => setPlace([frame, r, column])} />
      <Slider label="Column" value={column} min={0} max={EDGE - 1} onChange={(c) => setPlace([frame, row, c])} />
      <div class="pictures frames">
        {times.map((t) => (
          <Grid
            key={t}
            values={plane(patch, t)}
            edge={EDGE}
            look="grey"
            window={windows[t]}
            caption={`x, frame ${t + 1}`}
          />
        ))}
      </div>
      <div class="pictures frames">
        {times.map((t) => (
          <Grid
            key={t}
            values={plane(y, t)}
            edge={EDGE}
            look="signed"
            chosen={t === frame ? [row, column] : undefined}
            onPoint={(r, c) => setPlace([t, r, c])}
            caption={`y, frame ${t + 1}`}
          />
        ))}
      </div>
      <Values>
        <Value name="products for each output">{shape.reduce((a, b) => a * b, 1)}</Value>
        <Value name="their sum">{digits(current && sum)}</Value>
        <Value name="the device's output there">{digits(current?.[frame * AREA + row * EDGE + column])}</Value>
      </Values>
    </Figure>
  );
}
