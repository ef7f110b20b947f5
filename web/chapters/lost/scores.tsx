import { useState } from 'preact/hooks';
import { Random } from '../../../engine/random.ts';
import { bicubicUpscale, type Planes } from '../../../train/degrade.ts';
import { psnr } from '../../../train/metrics.ts';
import { lumaOf } from '../../lab/clip.ts';
import { lastOf, useHost } from '../../lab/hooks.ts';
import { Picture } from '../../lab/picture.tsx';
import { Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import { shrink, ssimOf, useSquare } from './pictures.ts';

const names = { lost: 'detail lost', noisy: 'noise', brighter: 'brighter' } as const;
type Kind = keyof typeof names;

/** Three pictures with the same mean squared error: what bicubic loses, or a share of it; noise; all pixels brighter. */
export function equalErrors(y: Planes, share: number): Record<Kind, Planes> {
  const low = shrink(y, 'bicubic', 4);
  const up = bicubicUpscale(low.data, low.width, low.height, 4);
  const missing = up.data.map((value, i) => value - y.data[i]);
  const random = new Random(1);
  const rms = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
  const wanted = share * rms(missing);
  const added = (error: Float32Array): Planes => {
    const gain = wanted / rms(error);
    return { ...y, data: y.data.map((value, i) => value + gain * error[i]) };
  };
  return {
    lost: added(missing),
    noisy: added(y.data.map(() => random.normal())),
    brighter: added(y.data.map(() => 1)),
  };
}

/** PSNR cannot tell them apart; SSIM can. */
export function Scores() {
  const [share, setShare] = useState(1);
  const square = useSquare();
  const outcome = useHost(() => {
    if (!square) return undefined;
    const y = lumaOf(square);
    const pictures = equalErrors(y, share);
    const rows = (Object.keys(names) as Kind[]).map((name) => {
      const picture = pictures[name];
      return { name, picture, psnr: psnr(y.data, picture.data), ssim: ssimOf(y, picture) };
    });
    return { y, rows };
  }, [square, share]);
  const now = lastOf(outcome);
  return (
    <Figure id="scores" title="Three errors of one size" outcome={outcome}>
      <Slider
        label="Error, of what bicubic loses"
        value={share}
        min={0.1}
        max={1}
        step={0.05}
        show={(s) => `${Math.round(100 * s)} %`}
        onChange={setShare}
      />
      <div class="pictures scores">
        {(Object.keys(names) as Kind[]).map((name) => {
          const row = now?.rows.find((one) => one.name === name);
          return (
            <div key={name}>
              <Picture of={row?.picture} caption={names[name]} />
              <Values>
                <Value name={`PSNR, ${names[name]}`}>{row ? `${row.psnr.toFixed(2)} dB` : '…'}</Value>
                <Value name={`SSIM, ${names[name]}`}>{row?.ssim.toFixed(4) ?? '…'}</Value>
              </Values>
            </div>
          );
        })}
      </div>
      <p>Protocol: luminance, no border left out, nothing rounded; SSIM with the Gaussian window.</p>
    </Figure>
  );
}
