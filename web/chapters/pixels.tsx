import { useMemo, useState } from 'preact/hooks';
import initUrl from '../../engine/nn/init.ts?url';
import shuffleUrl from '../../shaders/pixel_shuffle.wgsl?url';
import type { Planes } from '../../train/degrade.ts';
import { clip, cut, lumaOf } from '../lab/clip.ts';
import { breathe } from '../lab/device.ts';
import { lastOf, useLab } from '../lab/hooks.ts';
import { Picture } from '../lab/picture.tsx';
import { Plot } from '../lab/plot.tsx';
import { Source } from '../lab/source.tsx';
import { Choice, Figure, Slider, tex, Value, Values } from '../lab/ui.tsx';
import { Pad } from './pixels/pad.tsx';
import { checkerboard, coverage, enlargeAll, rowSpectrum, SCALE, stretched, WAYS, type Way } from './pixels/ways.ts';
import './pixels/pixels.css';

const EDGE = 12;

export default function Pixels() {
  return (
    <>
      <p>
        A super-resolution network works at the small size, where arithmetic is cheap, and makes the large picture in
        one of its last layers. There are three ways to do that, two of them in two variants. Draw a single dot and see
        what one small pixel becomes in each of them, with filters of random numbers as they are before training. Each
        result is shown from its own least value, black, to its own largest, white.
      </p>
      <Drawing />
      <p>
        <b>Pixel shuffle</b> computes {tex`r^2`} channels at the small size and lays them side by side: output pixel{' '}
        {tex`(r y + i,\; r x + j)`} is channel {tex`r i + j`} of pixel {tex`(y, x)`}. The shuffle itself is no
        arithmetic, only a new order; the channels come from a 3x3 convolution before it, which is why one dot makes a
        patch of 3x3 blocks. <b>Transposed convolution</b> stamps its kernel onto the output, once for each input pixel,{' '}
        {tex`r`} pixels apart, and sums where stamps overlap. <b>Resizing</b> interpolates with a fixed kernel, and
        leaves the learning to a convolution at the large size. That is as much arithmetic as a convolution to{' '}
        {tex`r^2`} channels at the small size, but its input lies in memory {tex`r^2`} times as large.
      </p>
      <h3>Stamps that do not meet</h3>
      <p>
        How many stamps fall on each output pixel? That is a transposed convolution of ones with a kernel of ones. The
        public code of FSTRN enlarges by stride 4 with a kernel of 3: stamps three pixels wide, four pixels apart.
        Between them are holes, pixels that no input reaches and that this layer cannot fill. Move the kernel to 5: no
        holes, but some pixels get four times as many products as others.
      </p>
      <Holes />
      <h3>The checkerboard</h3>
      <p>
        Where the kernel is a multiple of the stride, all pixels get as many products, and still each of the {tex`r^2`}{' '}
        positions in a block has weights of its own. They start at random, so one position comes out brighter than its
        neighbour, in every block alike: a pattern that repeats every {tex`r`} pixels. Pixel shuffle has the same fault.
        Training has to unlearn it first. <b>ICNR</b> removes it from the start: all {tex`r^2`} channels that come to
        lie in one block begin with the same weights, so the first picture is the nearest neighbour's, without a
        pattern, and training makes the channels differ where that helps.
      </p>
      <Checkerboards />
      <p>
        The pattern has its own frequencies, the multiples of {tex`1/r`} cycles a pixel; for {tex`r = 4`} these are 1/4
        and 1/2. In the spectrum above they stand out as peaks for random filters. ICNR and both resized pictures have
        none there. ICNR even has dips, as whole blocks of one colour hold nothing of these frequencies.
      </p>
      <Source file="engine/nn/init.ts" url={initUrl}>
        ends with ICNR.
      </Source>
      <Source file="shaders/pixel_shuffle.wgsl" url={shuffleUrl}>
        moves the pixels.
      </Source>
    </>
  );
}

const blank = (value: number): Planes => ({
  width: EDGE,
  height: EDGE,
  data: new Float32Array(EDGE * EDGE).fill(value),
});

const drawn = (bright: (x: number, y: number) => boolean): Planes => ({
  ...blank(0),
  data: Float32Array.from({ length: EDGE * EDGE }, (_, i) => (bright(i % EDGE, Math.floor(i / EDGE)) ? 255 : 0)),
});

const presets: Readonly<Record<string, Planes>> = {
  dot: drawn((x, y) => x === 6 && y === 6),
  line: drawn((x, y) => x + y === EDGE - 1),
  edge: drawn((x, y) => 2 * x - y > 6),
  'all grey': blank(128),
};

const ways = Object.keys(WAYS) as Way[];

function Drawing() {
  const [picture, setPicture] = useState(presets.dot);
  const [pen, setPen] = useState<'255' | '0'>('255');
  const [seed, setSeed] = useState(1);
  const [kernel, setKernel] = useState(4);
  const outcome = useLab(
    async ({ engine }) => {
      using _scope = engine.scope();
      const x = engine.tensor([1, 1, EDGE, EDGE], picture.data);
      return await enlargeAll(x, ways, { seed, kernel });
    },
    [picture, seed, kernel],
  );
  const results = lastOf(outcome);
  return (
    <Figure id="drawing" title="Draw, and see it made large" recorded="pixels.png" outcome={outcome}>
      <div class="pictures">
        <Pad of={picture} pen={Number(pen)} onDraw={setPicture} />
        {ways.map((way, i) => (
          <Picture key={way} of={results && stretched(results[i])} caption={WAYS[way]} />
        ))}
      </div>
      <Choice label="Pen" value={pen} of={{ 255: 'bright', 0: 'dark' }} onChange={setPen} />
      <p class="buttons">
        {Object.entries(presets).map(([name, preset]) => (
          <button type="button" key={name} onClick={() => setPicture(preset)}>
            {name}
          </button>
        ))}
      </p>
      <Slider label="Kernel of the transposed convolution" value={kernel} min={1} max={9} onChange={setKernel} />
      <Slider label="Random filters, draw number" value={seed} min={1} max={20} onChange={setSeed} />
    </Figure>
  );
}

function Holes() {
  const [kernel, setKernel] = useState(3);
  const [stride, setStride] = useState(4);
  const outcome = useLab(
    async ({ engine }) => {
      const counts = await coverage(engine, kernel, stride);
      const { data } = counts;
      const holes = data.filter((v) => v === 0).length / data.length;
      return { counts, holes, least: Math.min(...data), most: Math.max(...data) };
    },
    [kernel, stride],
  );
  const result = lastOf(outcome);
  return (
    <Figure id="holes" title="Products that reach each output pixel" recorded="holes.png" outcome={outcome}>
      <Slider label="Kernel" value={kernel} min={1} max={9} onChange={setKernel} />
      <Slider label="Stride" value={stride} min={1} max={4} onChange={setStride} />
      <div class="row">
        <Picture
          of={result && { ...result.counts, data: result.counts.data.map((v) => (255 * v) / Math.max(result.most, 1)) }}
          caption="black: none; white: the most"
          zoom={10}
        />
        <Values>
          <Value name="Pixels that nothing reaches">{result ? `${(100 * result.holes).toFixed(2)} %` : '…'}</Value>
          <Value name="Fewest products">{result?.least ?? '…'}</Value>
          <Value name="Most products">{result?.most ?? '…'}</Value>
        </Values>
      </div>
    </Figure>
  );
}

const PIECE = 24;

function Checkerboards() {
  const [seed, setSeed] = useState(1);
  const [kernel, setKernel] = useState(4);
  const now = clip.value;
  const piece = useMemo(() => {
    if (!now) return undefined;
    const at = (n: number) => Math.max(Math.floor((n - PIECE) / 2), 0);
    const [w, h] = [Math.min(PIECE, now.width), Math.min(PIECE, now.height)];
    return cut(lumaOf(now.frames[0]), at(now.width), at(now.height), w, h);
  }, [now]);
  const outcome = useLab(
    async ({ engine }) => {
      if (!piece) return undefined;
      using _scope = engine.scope();
      const x = engine.tensor(
        [1, 1, piece.height, piece.width],
        piece.data.map((v) => v / 255),
      );
      const planes = await enlargeAll(x, ways, { seed, kernel });
      const results = [];
      for (const [i, way] of ways.entries()) {
        const plane = planes[i];
        const spectrum = rowSpectrum(plane);
        results.push({ way, picture: stretched(plane), share: checkerboard(plane), spectrum });
        await breathe();
      }
      return results;
    },
    [piece, seed, kernel],
  );
  const results = lastOf(outcome);
  const plot = useMemo(
    () =>
      results && {
        x: results[0].spectrum.frequency,
        lines: results.map(({ way, spectrum }) => ({
          label: WAYS[way],
          y: spectrum.power.map((p) => 10 * Math.log10(Math.max(p, 1e-9))),
        })),
      },
    [results],
  );
  return (
    <Figure
      id="checkerboard"
      title="A piece of the clip through filters that have learnt nothing"
      recorded="checkerboard.png"
      outcome={outcome}
    >
      <Slider label="Random filters, draw number" value={seed} min={1} max={20} onChange={setSeed} />
      <Slider label="Kernel of the transposed convolution" value={kernel} min={1} max={9} onChange={setKernel} />
      <div class="pictures">
        {results?.map(({ way, picture }) => (
          <Picture key={way} of={picture} caption={WAYS[way]} />
        ))}
      </div>
      <p>Share of the picture's variance that repeats every {SCALE} pixels:</p>
      <Values>
        {results?.map(({ way, share }) => (
          <Value key={way} name={WAYS[way]}>
            {(100 * share).toFixed(2)} %
          </Value>
        ))}
      </Values>
      {plot && <Plot {...plot} xLabel="cycles a pixel, along rows" yLabel="power, dB" />}
    </Figure>
  );
}
