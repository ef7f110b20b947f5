import { useMemo, useState } from 'preact/hooks';
import type { Planes } from '../../../train/degrade.ts';
import { compareFrame } from '../../../train/metrics.ts';
import { protocolFor } from '../../../train/validation.ts';
import { Compare } from '../../lab/compare.tsx';
import { lastOf, type Outcome } from '../../lab/hooks.ts';
import { Choice, Figure, Switch, Value, Values } from '../../lab/ui.tsx';
import { FrameSlider } from './frame-slider.tsx';
import { type LayerMaps, picturesOf, type Scene, type Switches, WINDOW } from './run.ts';

export interface Run {
  readonly scene: Scene;
  readonly layers: readonly LayerMaps[];
  /** What was on in this run. */
  readonly on: Switches;
}

const views = { pictures: 'the pictures', errors: 'their errors, eight times as strong' } as const;
type View = keyof typeof views;

const blocks = { separable: 'separable', full: 'full 3D' } as const;

interface ResultProps {
  readonly run: Outcome<Run>;
  readonly on: Switches;
  readonly onChange: (on: Switches) => void;
}

/** The enlarged frames beside bicubic ones, with parts of the network switched off. */
export function Result({ run, on, onChange }: ResultProps) {
  const [frame, setFrame] = useState(Math.floor(WINDOW / 2));
  const [view, setView] = useState<View>('pictures');
  const done = lastOf(run);
  const seen = useMemo(() => done && judge(done, frame), [done, frame]);
  const shown = useMemo(() => done && seen && viewOf(done, seen, view), [done, seen, view]);
  const change = (part: Partial<Switches>) => onChange({ ...on, ...part });
  const alone = view === 'pictures' && done && !done.on.crossResidual;
  return (
    <Figure id="result" title="Before and after, and what each path brings" recorded="result.png" outcome={run}>
      <Choice label="Blocks" value={on.block} of={blocks} onChange={(block) => change({ block })} />
      <Switch
        label="LRL: the first features are added to the last"
        on={on.localResidual}
        onChange={(localResidual) => change({ localResidual })}
      />
      <Switch
        label="CRL: the enlarged input is added to the output"
        on={on.crossResidual}
        onChange={(crossResidual) => change({ crossResidual })}
      />
      <FrameSlider value={frame} onChange={setFrame} />
      <Choice label="Show" value={view} of={views} onChange={setView} />
      <Compare
        before={{ name: 'bicubic', picture: shown?.before }}
        after={{ name: alone ? 'what the network adds' : 'the network', picture: shown?.after }}
      />
      {alone && (
        <p>Without CRL there is no picture to add to. Shown is the output itself: four times as strong, on grey.</p>
      )}
      <Values>
        <Value name="PSNR of bicubic">{seen ? `${seen.before.toFixed(2)} dB` : '…'}</Value>
        <Value name="PSNR of the network">{seen ? `${seen.after.toFixed(2)} dB` : '…'}</Value>
        <Value name="Gained">{seen ? `${(seen.after - seen.before).toFixed(2)} dB` : '…'}</Value>
      </Values>
    </Figure>
  );
}

interface Seen {
  readonly truth: Planes;
  readonly bicubic: Planes;
  readonly result: Planes;
  readonly before: number;
  readonly after: number;
}

function judge({ scene, layers }: Run, frame: number): Seen {
  const { shape, values } = layers[layers.length - 1];
  const result = picturesOf(shape, values)[frame];
  const [truth, bicubic] = [scene.truth[frame], scene.bicubic[frame]];
  const psnr = (picture: Planes) => compareFrame(truth, picture, protocolFor(truth)).psnr;
  return { truth, bicubic, result, before: psnr(bicubic), after: psnr(result) };
}

/** Differences are drawn on grey. */
function viewOf({ on }: Run, { truth, bicubic, result }: Seen, view: View): { before: Planes; after: Planes } {
  if (view === 'pictures') {
    const added = { ...result, data: result.data.map((v) => 127.5 + 4 * v) };
    return { before: bicubic, after: on.crossResidual ? result : added };
  }
  const errors = (picture: Planes) => ({
    ...picture,
    data: picture.data.map((v, i) => 127.5 + 8 * (v - truth.data[i])),
  });
  return { before: errors(bicubic), after: errors(result) };
}
