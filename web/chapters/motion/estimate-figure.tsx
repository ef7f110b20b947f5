import { useMemo, useState } from 'preact/hooks';
import type { Planes } from '../../../train/degrade.ts';
import { psnr } from '../../../train/metrics.ts';
import { breathe } from '../../lab/device.ts';
import { lastOf, useLab } from '../../lab/hooks.ts';
import { Picture } from '../../lab/picture.tsx';
import { Slider, Switch, Value, Values } from '../../lab/ui.tsx';
import { flowColours, longest } from './field.ts';
import type { Pair } from './flow-worker.ts';
import { useFlows } from './flows.ts';
import { MotionFigure, moving } from './moving.tsx';
import { visible, warpAll } from './warps.ts';

const ORANGE = [255, 140, 0];

const decibelsOf = (psnr: number): string =>
  psnr === Number.POSITIVE_INFINITY ? 'identical' : `${psnr.toFixed(2)} dB`;

/** Values of the pixels that both frames show. */
const seenOf = ({ data }: Planes, mask: Uint8Array) => data.filter((_, i) => mask[i % mask.length]);

export function EstimateFigure() {
  const [first, setFirst] = useState(1);
  const [apart, setApart] = useState(2);
  const [covered, setCovered] = useState(true);
  const now = moving.value;
  const frames = now?.frames.length ?? 2;
  const far = Math.min(apart, frames - 1);
  const from = Math.min(first, frames - far);
  const pairs = useMemo(() => {
    if (!now) return undefined;
    const [one, two] = [from - 1, from - 1 + far].map((t) => now.frames[t]);
    return [
      [one, two],
      [two, one],
    ] satisfies Pair[];
  }, [now, from, far]);
  const flows = useFlows(pairs);
  const known = flows.kind === 'done' ? flows.value : undefined;
  const warping = useLab(
    async ({ engine }) => {
      if (!known || !pairs) return undefined;
      const [there, back] = known;
      const [one, two] = pairs[0];
      const [moved, returned] = await warpAll(engine, [two, back], [there, there]);
      const mask = visible(there, returned);
      await breathe();
      const flow = flowColours(there, longest(there));
      const gap = { ...one, data: one.data.map((v, i) => 128 + 4 * (moved.data[i] - v)) };
      await breathe();
      const scores = {
        still: psnr(one.data, two.data),
        moved: psnr(one.data, moved.data),
        seen: psnr(seenOf(one, mask), seenOf(moved, mask)),
        covered: mask.filter((v) => !v).length / mask.length,
      };
      await breathe();
      return { one, moved, mask, flow, gap, most: longest(there), scores };
    },
    [known],
  );
  const outcome = flows.kind === 'failed' ? flows : warping;
  const result = lastOf(warping);
  const moved = useMemo(() => {
    if (!result || !covered) return result?.moved;
    const { moved, mask } = result;
    const n = mask.length;
    return { ...moved, data: moved.data.map((v, i) => (mask[i % n] ? v : ORANGE[Math.floor(i / n)])) };
  }, [result, covered]);
  const decibels = (key: 'still' | 'moved' | 'seen') => (result ? decibelsOf(result.scores[key]) : '…');
  return (
    <MotionFigure
      id="estimate"
      title="Motion found between two frames of the clip"
      recorded="motion.png"
      outcome={outcome}
    >
      <Slider label="Frame" value={from} min={1} max={frames - far} onChange={setFirst} />
      <Slider label="Frames apart" value={far} min={1} max={Math.min(4, frames - 1)} onChange={setApart} />
      <div class="pictures">
        <Picture of={result?.one} caption={`frame ${from}`} />
        <Picture of={result?.flow} caption={`flow, at most ${result?.most.toFixed(1) ?? '…'} px`} />
        <Picture of={moved} caption={`frame ${from + far}, moved here by the flow`} />
        <Picture of={result?.gap} caption="difference, four times: grey is 0" />
      </div>
      <Switch label="Show what is covered, in orange" on={covered} onChange={setCovered} />
      <Values>
        <Value name="PSNR of the other frame as it is">{decibels('still')}</Value>
        <Value name="PSNR, moved by the flow">{decibels('moved')}</Value>
        <Value name="PSNR, without what is covered">{decibels('seen')}</Value>
        <Value name="Covered or outside">{result ? `${(100 * result.scores.covered).toFixed(2)} %` : '…'}</Value>
      </Values>
      <p>Protocol: RGB, no border left out, nothing rounded.</p>
    </MotionFigure>
  );
}
