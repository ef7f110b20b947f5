import { useMemo, useState } from 'preact/hooks';
import { bicubicUpscale, type Degradation, degrade, type Planes } from '../../train/degrade.ts';
import degradeSource from '../../train/degrade.ts?raw';
import { compareFrame, DEFAULT_PROTOCOL } from '../../train/metrics.ts';
import { clip, cut, lumaOf } from '../lab/clip.ts';
import { Picture } from '../lab/picture.tsx';
import { Source } from '../lab/source.tsx';
import { Choice, Figure, Slider, tex, Value, Values } from '../lab/ui.tsx';

const EDGE = 96;

const waysDown = { bicubic: 'bicubic', duf: 'blur, then every 4th pixel', every: 'every 4th pixel alone' } as const;
type WayDown = keyof typeof waysDown;

export default function Lost() {
  return (
    <>
      <p>
        A camera, a codec or a phone line made your video small. Super-resolution makes it large again. Nothing can
        bring back what is gone; a network can only know what such pictures usually look like. So first: what exactly
        goes lost, and how do we measure it?
      </p>
      <Degradations />
      <p>
        <b>PSNR</b> is the logarithm of the mean squared error, {tex`10 \log_{10}(255^2 / \mathrm{MSE})`} in decibels:
        one more means a fifth less error. <b>SSIM</b> compares means, variances and covariances of small windows, and
        is 1 for equal pictures. Both depend on choices that papers rarely print: the channel, the border, the rounding.
        Change them and watch the same two pictures change their score.
      </p>
      <Protocols />
      <Source file="train/degrade.ts" text={degradeSource}>
        makes every low resolution picture here, and in the training.
      </Source>
    </>
  );
}

/** A square of the clip's first frame, in luminance. */
function useSquare(): Planes | undefined {
  const now = clip.value;
  return useMemo(() => {
    if (!now) return undefined;
    const edge = Math.min(EDGE, 4 * Math.floor(Math.min(now.width, now.height) / 4));
    const at = (n: number) => Math.floor((n - edge) / 2);
    return cut(lumaOf(now.frames[0]), at(now.width), at(now.height), edge, edge);
  }, [now]);
}

function shrink({ width, height, data }: Planes, way: WayDown, scale: number): Planes {
  if (way !== 'every') return degrade(data, width, height, way as Degradation, scale);
  const [w, h] = [Math.ceil(width / scale), Math.ceil(height / scale)];
  const values = Float32Array.from(
    { length: w * h },
    (_, i) => data[Math.floor(i / w) * scale * width + (i % w) * scale],
  );
  return { width: w, height: h, data: values };
}

function Degradations() {
  const [way, setWay] = useState<WayDown>('bicubic');
  const square = useSquare();
  const results = useMemo(() => {
    if (!square) return undefined;
    const low = shrink(square, way, 4);
    const up = bicubicUpscale(low.data, low.width, low.height, 4);
    const score = compareFrame(square, up, { ...DEFAULT_PROTOCOL, border: [8, 8, 8, 8] });
    return { low, up, score };
  }, [square, way]);
  return (
    <Figure id="degradations" title="Down four times, and up again by bicubic interpolation">
      <Choice label="Down by" value={way} of={waysDown} onChange={setWay} />
      <div class="row">
        <Picture of={square} caption="as it was" />
        <Picture of={results?.low} caption="a sixteenth of the pixels" />
        <Picture of={results?.up} caption="bicubic, up again" />
      </div>
      <Values>
        <Value name="PSNR of the enlarged picture">{results ? `${results.score.psnr.toFixed(2)} dB` : '…'}</Value>
        <Value name="SSIM">{results?.score.ssim.toFixed(4) ?? '…'}</Value>
      </Values>
    </Figure>
  );
}

function Protocols() {
  const [border, setBorder] = useState(8);
  const square = useSquare();
  const score = useMemo(() => {
    if (!square) return undefined;
    const low = shrink(square, 'bicubic', 4);
    const up = bicubicUpscale(low.data, low.width, low.height, 4);
    return compareFrame(square, up, { ...DEFAULT_PROTOCOL, border: [border, border, border, border] });
  }, [square, border]);
  return (
    <Figure id="protocols" title="The same pictures, another protocol">
      <Slider
        label="Border left out"
        value={border}
        min={0}
        max={16}
        show={(n) => `${n} pixels`}
        onChange={setBorder}
      />
      <Values>
        <Value name="PSNR">{score ? `${score.psnr.toFixed(3)} dB` : '…'}</Value>
        <Value name="SSIM">{score?.ssim.toFixed(4) ?? '…'}</Value>
      </Values>
    </Figure>
  );
}
