import { useEffect, useMemo, useState } from 'preact/hooks';
import trainerUrl from '../../train/trainer.ts?url';
import { clip, type LabClip } from '../lab/clip.ts';
import { Compare } from '../lab/compare.tsx';
import { labState } from '../lab/device.ts';
import type { Outcome } from '../lab/hooks.ts';
import { Source } from '../lab/source.tsx';
import { Figure, tex, Value, Values } from '../lab/ui.tsx';
import { Controls } from './training/controls.tsx';
import { Curves } from './training/curves.tsx';
import { FRAMES, Session, type Settings, type Shown, WARMUP } from './training/session.ts';

const FIRST: Settings = { loss: 'mse', block: 'separable', lr: 3e-3 };

export default function TrainItHere() {
  const now = clip.value;
  return (
    <>
      <p>
        A network starts as random numbers. Training is one step, many times: cut small samples out of the clip's
        frames, let the network enlarge them, measure by a loss how far it is from what was there, ask the tape for the
        gradient of the loss to every weight, and let Adam move each weight a little against it. Here is an FSTRN so
        tiny that this page trains it while you watch, with the project's own trainer.
      </p>
      {now ? <Training clip={now} /> : <p>The clip is on its way.</p>}
      <p>
        Watch the PSNR leave bicubic's line. The input, enlarged by bicubic interpolation, reaches the output by the
        path CRL, and one layer of the others, the one that enlarges, starts from zeros, not from random numbers: so
        step 0 is bicubic to the last bit, and all above the line is learned. The loss seems to say less. Each step sees
        other samples, harder or easier ones, and what can be gained over bicubic is a small part of any loss.
      </p>
      <p>
        <b>The losses</b> say what far means. Charbonnier's, {tex`\sqrt{d^2 + \varepsilon^2}`}, and L1, {tex`|d|`}, pull
        on every error {tex`d`} alike; the mean square, {tex`d^2`}, pulls on large ones most, and is what PSNR is made
        of; Huber's is a parabola for small errors and a line for large ones. Their numbers cannot be compared with each
        other. PSNR can: so each is judged by it, on {FRAMES} frames at the clip's end that are never trained on. They
        come from the same scene, which makes this an easy exam.
      </p>
      <p>
        <b>The learning rate</b> is how far a step goes, from step {WARMUP} on; up to there it grows from nothing, as
        the first gradients point in all directions. Train 200 steps, go back to step 50, choose another rate and
        compare the new curve with the one before. With the smallest, little happens. With the largest the network comes
        apart, and the training stops and says so. Go back once more, change nothing, and the curve repeats itself: a
        state holds the weights, Adam's two moments of each gradient, and where the sequence of random samples stands,
        and the engine adds in a fixed order.
      </p>
      <p>
        What it has learned is yours to keep:{' '}
        <code>npx subpixel upscale small.mp4 -o large.mp4 --weights weights.safetensors</code> enlarges a video with it.
      </p>
      <Source file="train/trainer.ts" url={trainerUrl}>
        takes each step, here and on the command line.
      </Source>
    </>
  );
}

function Training({ clip }: { readonly clip: LabClip }) {
  const [settings, setSettings] = useState(FIRST);
  const session = useMemo(() => new Session(clip, settings), [clip]);
  const state = labState.value;
  useEffect(() => () => session.close(), [session]);
  useEffect(() => {
    if (state.kind === 'ready') void session.prepare();
  }, [session, state]);
  const shown = session.shown.value;
  const change = (next: Settings) => {
    setSettings(next);
    void session.change(next);
  };
  const { sample, bicubic, scores, amount, stepMs, iteration, lastLoss } = shown;
  const psnr = scores.at(-1)?.value;
  const pictures = useMemo(() => sample && { bicubic: planes(sample.bicubic), ours: planes(sample.ours) }, [sample]);
  const number = (value: number | undefined, digits: number, unit = '') =>
    value === undefined || Number.isNaN(value) ? '…' : `${value.toFixed(digits)}${unit}`;
  return (
    <>
      <Figure id="train" title="A network learns" recorded="train.png" outcome={outcomeOf(shown)}>
        <Controls session={session} settings={settings} onChange={change} />
        <Curves shown={shown} />
        <Values>
          <Value name="Step">{iteration}</Value>
          <Value name="Loss of the last step">{lastLoss > 1000 ? lastLoss.toPrecision(2) : number(lastLoss, 5)}</Value>
          <Value name="PSNR, frames held out">{number(psnr, 2, ' dB')}</Value>
          <Value name="PSNR of bicubic">{number(bicubic, 2, ' dB')}</Value>
          <Value name="A step takes">{number(stepMs || undefined, 1, ' ms')}</Value>
          <Value name="A step sees">
            {amount.batch} x {FRAMES} x {amount.crop} x {amount.crop} pixels
          </Value>
        </Values>
      </Figure>
      <Figure id="trained" title="What it makes of a frame that it never saw" recorded="trained.png">
        <Compare
          before={{ name: 'bicubic', picture: pictures?.bicubic }}
          after={{ name: 'the network', picture: pictures?.ours }}
        />
      </Figure>
    </>
  );
}

const planes = ({ width, height, data }: NonNullable<Shown['sample']>['ours']) => ({
  ...{ width, height },
  data: Float32Array.from(data),
});

/** While it prepares, there is nothing to see; what stopped it is said beside its buttons. */
const outcomeOf = ({ status }: Shown): Outcome<Shown['status']> =>
  status === 'preparing' ? { kind: 'waiting' } : { kind: 'done', value: status };
