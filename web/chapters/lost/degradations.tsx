import { useState } from 'preact/hooks';
import { compareFrame, DEFAULT_PROTOCOL } from '../../../train/metrics.ts';
import { lumaOf } from '../../lab/clip.ts';
import { lastOf, useHost } from '../../lab/hooks.ts';
import { Picture } from '../../lab/picture.tsx';
import { Choice, Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import { decibels, enlarge, phaseOf, shrink, useSquare, type WayDown, waysDown } from './pictures.ts';

const channels = { rgb: 'RGB', y: 'luminance' } as const;

/** A square of the clip, made small in one of the field's ways, and enlarged again. */
export function Degradations() {
  const [way, setWay] = useState<WayDown>('bicubic');
  const [scale, setScale] = useState(4);
  const [channel, setChannel] = useState<keyof typeof channels>('rgb');
  const square = useSquare();
  const outcome = useHost(() => {
    if (!square) return undefined;
    const original = channel === 'rgb' ? square : lumaOf(square);
    const low = shrink(original, way, scale);
    const up = enlarge(low, scale, phaseOf(way, scale));
    return { original, low, up, score: compareFrame(original, up, { ...DEFAULT_PROTOCOL, channel }) };
  }, [square, way, scale, channel]);
  const now = lastOf(outcome);
  return (
    <Figure id="degradations" title="Made small, and enlarged again by bicubic interpolation" outcome={outcome}>
      <Choice label="Made small by" value={way} of={waysDown} onChange={setWay} />
      <Slider label="Scale" value={scale} min={2} max={4} show={(n) => `${n} times`} onChange={setScale} />
      <Choice label="Seen in" value={channel} of={channels} onChange={setChannel} />
      <div class="pictures">
        <Picture of={now?.original} caption="as it was" />
        <Picture of={now?.low} caption={`one pixel for every ${scale * scale}`} />
        <Picture of={now?.up} caption="enlarged again" />
      </div>
      <Values>
        <Value name="PSNR of the enlarged picture">{decibels(now?.score)}</Value>
        <Value name="SSIM">{now?.score.ssim.toFixed(4) ?? '…'}</Value>
      </Values>
    </Figure>
  );
}
