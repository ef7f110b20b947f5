import { useMemo, useState } from 'preact/hooks';
import { cut, lumaOf } from '../../lab/clip.ts';
import { breathe, Superseded } from '../../lab/device.ts';
import { lastOf, useLab } from '../../lab/hooks.ts';
import { Picture } from '../../lab/picture.tsx';
import { Plot } from '../../lab/plot.tsx';
import { Choice, Slider, Value, Values } from '../../lab/ui.tsx';
import { useFlows } from './flows.ts';
import { MotionFigure, moving } from './moving.tsx';
import {
  AVERAGES,
  type Average,
  averaged,
  mixed,
  motionOf,
  noisy,
  pairsOf,
  profile,
  type Scores,
  scoresOf,
  timesOf,
} from './tradeoff.ts';

const EDGE = 64;
const SHARES = [0, 0.2, 0.4, 0.6, 0.8, 1];

export function TradeoffFigure() {
  const [share, setShare] = useState(0);
  const [deviation, setDeviation] = useState(4);
  const [how, setHow] = useState<Average>('still');
  const [column, setColumn] = useState(EDGE / 2);
  const now = moving.value;
  const truth = useMemo(() => {
    if (!now) return undefined;
    const [w, h] = [Math.min(EDGE, now.width), Math.min(EDGE, now.height)];
    return timesOf(now.frames.length).map((t) =>
      cut(lumaOf(now.frames[t]), (now.width - w) >> 1, (now.height - h) >> 1, w, h),
    );
  }, [now]);
  const flows = useFlows(useMemo(() => truth && pairsOf(truth), [truth]));
  const known = flows.kind === 'done' ? flows.value : undefined;
  const ends = useLab(
    async ({ engine }, signal) => {
      if (!known || !truth) return undefined;
      const motion = await motionOf(engine, known);
      const sharp = noisy(truth, deviation);
      await breathe();
      const smooth = await averaged(engine, sharp, motion, how);
      const path: Scores[] = [];
      for (const at of SHARES) {
        path.push(await scoresOf(engine, mixed(sharp, smooth, at), truth, motion));
        await breathe();
        if (signal.aborted) throw new Superseded();
      }
      const clean = await scoresOf(engine, truth, truth, motion);
      return { motion, sharp, smooth, path, clean };
    },
    [known, deviation, how],
  );
  const ready = ends.kind === 'done' ? ends.value : undefined;
  const here = useLab(
    async ({ engine }) => {
      if (!ready || !truth) return undefined;
      const frames = mixed(ready.sharp, ready.smooth, share);
      return { ready, frames, scores: await scoresOf(engine, frames, truth, ready.motion) };
    },
    [ready, share],
  );
  const result = lastOf(here);
  const outcome = [flows, ends].find(({ kind }) => kind === 'failed') ?? here;
  const plot = useMemo(() => result && plotOf(result.ready.path, result.scores), [result]);
  const middle = truth ? truth.length >> 1 : 0;
  const at = Math.min(column, (truth?.[0].width ?? EDGE) - 1);
  const shown = result?.frames;
  const profiles = useMemo(
    () => truth && shown && { truth: profile(truth, at), result: profile(shown, at) },
    [truth, shown, at],
  );
  return (
    <MotionFigure id="tradeoff" title="Between two results" recorded="tradeoff.png" outcome={outcome}>
      <Slider
        label="From each frame alone to the average"
        {...{ value: share, min: 0, max: 1, step: 0.05, show: (v) => `${Math.round(100 * v)} %` }}
        onChange={setShare}
      />
      <Choice label="Average of three frames" value={how} of={AVERAGES} onChange={setHow} />
      <Slider
        label="Error of each frame alone"
        {...{ value: deviation, min: 2, max: 30, show: (v) => `${v} grey levels` }}
        onChange={setDeviation}
      />
      <Slider
        label="Column of the profile"
        {...{ value: at, min: 0, max: (truth?.[0].width ?? EDGE) - 1 }}
        onChange={setColumn}
      />
      <div class="pictures profiles">
        <Picture
          of={truth?.[middle]}
          caption={`the true frame ${now ? timesOf(now.frames.length)[middle] + 1 : '…'}`}
          mark={{ x: at, y: 0, w: 1, h: truth?.[0].height ?? EDGE }}
          onPoint={setColumn}
        />
        <Picture of={shown?.[middle]} caption="the result" />
        <Picture of={profiles?.truth} caption="the column, frame by frame: true" />
        <Picture of={profiles?.result} caption="the column, frame by frame: the result" />
      </div>
      <Values>
        <Value name="PSNR">{result ? `${result.scores.psnr.toFixed(2)} dB` : '…'}</Value>
        <Value name="Warping error">{result ? `${result.scores.flicker.toFixed(2)} grey levels` : '…'}</Value>
        <Value name="Warping error of the true frames">
          {result ? `${result.ready.clean.flicker.toFixed(2)} grey levels` : '…'}
        </Value>
      </Values>
      <p>Protocol: luminance, no border left out, nothing rounded; PSNR is the mean over the frames.</p>
      {plot && <Plot {...plot} xLabel="warping error, grey levels" yLabel="PSNR, dB" />}
    </MotionFigure>
  );
}

/** The slider's way from end to end, and where it stands. */
function plotOf(path: readonly Scores[], here: Scores) {
  const points = [...path.map((scores) => ({ scores, path: true })), { scores: here, path: false }].sort(
    (a, b) => a.scores.flicker - b.scores.flicker,
  );
  const values = (onPath: boolean) => points.map(({ scores, path }) => (path === onPath ? scores.psnr : null));
  return {
    x: points.map(({ scores }) => scores.flicker),
    lines: [
      { label: 'the way of the slider', y: values(true) },
      { label: 'here', y: values(false), points: true },
    ],
  };
}
