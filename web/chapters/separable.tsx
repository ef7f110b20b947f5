import { useMemo, useState } from 'preact/hooks';
import separableUrl from '../../engine/ops/separable_conv3d.ts?url';
import { counted } from '../../train/words.ts';
import { labState } from '../lab/device.ts';
import { lastOf, useLab } from '../lab/hooks.ts';
import { Plot } from '../lab/plot.tsx';
import { Source } from '../lab/source.tsx';
import { clockOf, median } from '../lab/timing.ts';
import { Choice, Figure, Slider, tex, threeDigits, Value, Values } from '../lab/ui.tsx';
import {
  betweenBytes,
  type Count,
  countFull,
  countSeparable,
  promise,
  type Size,
  WINOGRAD_PROMISE,
} from './separable/count.ts';
import {
  FORMS,
  type Form,
  fittingEdge,
  forms,
  type Gain,
  gainOf,
  KERNELS,
  type Kernels,
  type Measured,
  measureBlocks,
  promisesOf,
  ranWinograd,
  settingOf,
  settingsOf,
  tooFast,
  type Way,
} from './separable/measure.ts';
import { Taps } from './separable/taps.tsx';
import './separable/separable.css';

const EDGE = 64;

export default function Separable() {
  return (
    <>
      <p>
        A network for video wants to see neighbouring frames as well as neighbouring pixels, so its windows have three
        sizes: frames, rows, columns. A window of 3×3×3 has 27 taps, and each tap costs one multiplication and one
        addition, a <b>multiply-add</b>, for every pair of an input and an output channel, at every pixel of every
        frame.
      </p>
      <p>
        The <b>separable</b> block looks at the same 27 pixels in two steps: first at the 9 in its own frame, then at
        the 3 results in neighbouring frames. Nine and three are twelve, and 27 / 12 = 2.25. That is the whole idea.
        Count it first:
      </p>
      <Counts />
      <p>
        With {tex`C`} channels in and out, one position costs {tex`k^3 C^2`} multiply-adds in full and{' '}
        {tex`(k^2 + k)\,C^2`} apart, so
      </p>
      <p class="block">
        {tex`\displaystyle\text{promise} = \frac{k^3 C^2}{(k^2 + k)\,C^2} = \frac{k^2}{k + 1},`} &emsp;{' '}
        {tex`\displaystyle k = 3:\; \frac{9}{4} = 2.25.`}
      </p>
      <p>
        Channels and frames cancel; only {tex`k`} decides. The parameters shrink by the same factor. What is given up:
        the pair can only make windows that are sums of a pattern in the plane times a pattern in time, with at most{' '}
        {tex`C`} such patterns to mix from. FSTRN's authors found that enough.
      </p>
      <p>
        Arithmetic is a promise, not a time. Now measure: a residual block{' '}
        {tex`y = x + \mathrm{conv}(\mathrm{PReLU}(x))`} on your own device, with both windows, each in two ways.{' '}
        <i>Step by step</i> runs PReLU, the one convolution or the two, and the sum one after the other. <i>Fused</i> is
        what the project's networks use: the activation is applied while a convolution reads, the sum is made while it
        writes, and on devices whose registers suit it, the pair is one kernel. Like is compared with like: step by step
        with step by step, fused with fused.
      </p>
      <Measurements />
      <h3>Where the promise breaks</h3>
      <p>
        <b>Memory between the two.</b> The pair writes its middle result and reads it again. Step by step, both windows
        also pay for what PReLU made and what is summed, a time that no smaller window saves. The fewer channels, the
        less arithmetic there is to hide that behind: set 8 channels, measure, and compare with 64 in the table of
        settings measured so far. Each measurement takes the larger picture where the smaller is done too soon to be
        timed, so see that the sizes are alike.
      </p>
      <p>
        <b>Cleverer arithmetic for one side.</b> Winograd's algorithm makes 2×2 outputs of a 3×3 window from 16 products
        instead of 36, so 4 for each output instead of 9. That helps the 3×3 part of both blocks, but not the pair's
        three taps in time: 3·4 products against 4 + 3, a promise of 12 / 7 = 1.71. Choose Winograd, measure, then
        choose the plain kernel. The shaders that ran are named under the table. Winograd pays where a device waits for
        arithmetic rather than for memory.
      </p>
      <p>
        <b>Taps in the padding.</b> At the first and the last frame, a third of the taps in time meets zeros. A kernel
        that skips them saves nine of 27 in full, but only one of the pair's three steps in time. With one frame alone
        the full window is left with 9 useful taps and the pair with 10: no gain at all. The count above shows how much
        is left for the frames you choose.
      </p>
      <p>
        <b>Backward</b> there are two more convolutions of the same arithmetic for each one forward, the gradients of
        the input and of the weights, so the promise stays 2.25. But the middle result must be kept for them, or
        computed again.
      </p>
      <Source file="engine/ops/separable_conv3d.ts" url={separableUrl}>
        is the fused pair and its gradients.
      </Source>
    </>
  );
}

const big = (n: number): string =>
  n >= 1e9 ? `${threeDigits(n / 1e9)} G` : n >= 1e6 ? `${threeDigits(n / 1e6)} M` : n.toLocaleString('en');
const times = (n: number): string => `${n.toFixed(2)}x`;
const range = ({ least, most }: Gain): string => `${least.toFixed(2)} to ${most.toFixed(2)}`;
const withRange = (gain: Gain): string => times(gain.median) + (gain.least < gain.most ? ` (${range(gain)})` : '');
const usefulPromise = (size: Size): number => countFull(size).useful / countSeparable(size).useful;

function Counts() {
  const [k, setK] = useState(3);
  const [channels, setChannels] = useState(64);
  const [frames, setFrames] = useState(5);
  const size: Size = { k, channels, frames, edge: EDGE };
  const [full, pair] = [countFull(size), countSeparable(size)];
  const between = `${(betweenBytes(size) / 2 ** 20).toFixed(1)} MiB`;
  const rows: readonly [string, keyof Count][] = [
    ['Multiply-adds', 'macs'],
    ['of these, not on zeros of the padding', 'useful'],
    ['Parameters, with biases', 'parameters'],
  ];
  return (
    <Figure id="counts" title={`The arithmetic of one layer, on ${counted(frames, 'frame')} of ${EDGE}x${EDGE}`}>
      <Slider label="Taps along each axis, k" value={k} min={1} max={7} step={2} onChange={setK} />
      <Slider label="Channels, C" value={channels} min={4} max={128} step={4} onChange={setChannels} />
      <Slider label="Frames" value={frames} min={1} max={16} onChange={setFrames} />
      <Taps k={k} />
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th scope="col">Count</th>
              <th scope="col">full</th>
              <th scope="col">separable</th>
              <th scope="col">full / separable</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([label, key]) => (
              <tr key={key} data-row={key}>
                <th scope="row">{label}</th>
                <td>{big(full[key])}</td>
                <td>{big(pair[key])}</td>
                <td>{times(full[key] / pair[key])}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Values>
        <Value name="The promise, k² / (k + 1)">{times(promise(k))}</Value>
        <Value name="The middle result of the pair">
          {between} written, {between} read
        </Value>
      </Values>
    </Figure>
  );
}

interface Asked {
  readonly k: number;
  /** As many as the device is quick for, until the reader chooses. */
  readonly channels?: number;
  readonly frames: number;
  readonly kernels: Kernels;
}

const usualChannels = (software: boolean): number => (software ? 16 : 64);

function Measurements() {
  const [asked, setAsked] = useState<Asked>({ k: 3, frames: 5, kernels: 'best' });
  const [wanted, setWanted] = useState(asked);
  const [all, setAll] = useState<readonly Measured[]>([]);
  const outcome = useLab(
    async ({ engine, software }, signal) => {
      const channels = asked.channels ?? usualChannels(software);
      const block = { k: asked.k, channels, frames: asked.frames };
      const edge = await fittingEdge(engine, block, software, signal);
      const options = software ? { signal, samples: 5, sampleMs: 15 } : { signal, samples: 7 };
      const measured = await measureBlocks(engine, { ...block, edge }, asked.kernels, options);
      setAll((before) => [...before, measured].slice(-24));
      return { measured, clock: clockOf(engine) };
    },
    [asked],
  );
  const state = labState.value;
  const change = (part: Partial<Asked>) => setWanted({ ...wanted, ...part });
  const channels = wanted.channels ?? usualChannels(state.kind === 'ready' && state.lab.software);
  const result = lastOf(outcome);
  const shown = result?.measured;
  const stale =
    shown?.k !== wanted.k ||
    shown.channels !== channels ||
    shown.frames !== wanted.frames ||
    shown.kernels !== wanted.kernels;
  const waiting = outcome.kind === 'waiting';
  return (
    <Figure id="measured" title="The promise, measured on this device" recorded="separable.png" outcome={outcome}>
      <Slider label="Taps, k" value={wanted.k} min={3} max={5} step={2} onChange={(k) => change({ k })} />
      <Slider
        label="Channels"
        value={channels}
        min={8}
        max={64}
        step={8}
        onChange={(channels) => change({ channels })}
      />
      <Slider label="Frames" value={wanted.frames} min={1} max={12} onChange={(frames) => change({ frames })} />
      <Choice
        label="Convolution kernels"
        value={wanted.kernels}
        of={KERNELS}
        onChange={(kernels) => change({ kernels })}
      />
      <button type="button" disabled={waiting} onClick={() => setAsked({ ...wanted })}>
        {waiting ? 'Measuring …' : 'Measure'}
      </button>
      {result && (
        <>
          {stale && <p class="about">Below: measured with other settings than those now chosen.</p>}
          <div class={stale ? 'stale' : ''}>
            <Times {...result} />
          </div>
        </>
      )}
      <Promises all={all} />
      <Settings all={all} />
    </Figure>
  );
}

const WAYS: Readonly<Record<Way, string>> = { forward: 'forward', both: 'both ways' };

function Times({ measured, clock }: { readonly measured: Measured; readonly clock: string }) {
  const { k, channels, frames, edge, rows, kernels } = measured;
  const gain = (form: Form, way: Way) => withRange(gainOf(measured, form, way));
  const ms = (form: Form, way: Way) => threeDigits(median(rows[form][way]));
  const fused = gainOf(measured, 'fused', 'both');
  const beyond = tooFast(measured).map(({ form, way }) => `${FORMS[form]}, ${WAYS[way]}`);
  return (
    <>
      <p class="about">
        {k}×{k}×{k}, {channels} channels, {counted(frames, 'frame')} of {edge}x{edge}, {KERNELS[kernels]}; medians of{' '}
        {counted(fused.repeats, 'repeat')}, in each of which all take turns, and in brackets the least and the most of
        the repeats; {clock}
      </p>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th scope="col">Block</th>
              <th scope="col">forward, ms</th>
              <th scope="col">faster by</th>
              <th scope="col">both ways, ms</th>
              <th scope="col">faster by</th>
            </tr>
          </thead>
          <tbody>
            {forms.map((form) => (
              <tr key={form} data-form={form}>
                <th scope="row">{FORMS[form]}</th>
                <td>{ms(form, 'forward')}</td>
                <td>{gain(form, 'forward')}</td>
                <td>{ms(form, 'both')}</td>
                <td>{gain(form, 'both')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <ul class="ran">
        {forms.map((form) => (
          <li key={form}>
            {FORMS[form]}, forward: <code>{rows[form].ran.join(', ')}</code>
          </li>
        ))}
      </ul>
      <Values>
        <Value name="Promised by arithmetic">{times(promise(k))}</Value>
        <Value name="Promised without the padding">{times(usefulPromise(measured))}</Value>
        {ranWinograd(measured) && <Value name="Promised with Winograd, forward">{times(WINOGRAD_PROMISE)}</Value>}
        <Value name="Measured, forward and backward, fused">
          {times(fused.median)} ({range(fused)}, {counted(fused.repeats, 'repeat')})
        </Value>
      </Values>
      <p aria-live="polite">
        In words: {k ** 3} taps became {k ** 2} + {k} = {k ** 2 + k}, and on this device {ms('full', 'both')} ms forward
        and backward became {ms('fused', 'both')} ms, both fused: {times(fused.median)}, and {range(fused)} over{' '}
        {counted(fused.repeats, 'repeat')}.{' '}
        {beyond.length > 0 &&
          `Faster than the ${times(promise(k))} that the arithmetic allows: ${beyond.join('; ')}. The machine was busy, or a cleverer kernel ran for the pair than for the full window: measure again. `}
        A machine that is busy measures unevenly: the range is wide then. Each measurement becomes a point below.
      </p>
    </>
  );
}

/** Every measurement so far against what arithmetic promised it. */
function Promises({ all }: { readonly all: readonly Measured[] }) {
  const { x, lines } = useMemo(() => promisesOf(all), [all]);
  return <Plot x={x} lines={lines} xLabel="times less arithmetic (useful taps)" yLabel="times faster" height={260} />;
}

/** One row a setting, so that settings can be compared that were not measured one after the other. */
function Settings({ all }: { readonly all: readonly Measured[] }) {
  const settings = useMemo(() => settingsOf(all), [all]);
  if (settings.length === 0) return null;
  return (
    <div class="wide settings">
      <table>
        <caption>Settings measured so far, fused, newest first</caption>
        <thead>
          <tr>
            <th scope="col">k</th>
            <th scope="col">channels</th>
            <th scope="col">frames</th>
            <th scope="col">picture</th>
            <th scope="col">kernels</th>
            <th scope="col">promised (useful taps)</th>
            <th scope="col">forward</th>
            <th scope="col">both ways</th>
          </tr>
        </thead>
        <tbody>
          {settings.map((measured) => (
            <tr key={settingOf(measured)}>
              <td>{measured.k}</td>
              <td>{measured.channels}</td>
              <td>{measured.frames}</td>
              <td>
                {measured.edge}x{measured.edge}
              </td>
              <td>{KERNELS[measured.kernels]}</td>
              <td>{times(usefulPromise(measured))}</td>
              <td>{withRange(gainOf(measured, 'fused', 'forward'))}</td>
              <td>{withRange(gainOf(measured, 'fused', 'both'))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
