import { useMemo, useState } from 'preact/hooks';
import { lastOf, type Outcome } from '../../lab/hooks.ts';
import { Picture } from '../../lab/picture.tsx';
import { Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import { FrameSlider } from './frame-slider.tsx';
import { type LayerMaps, mapOf, mostOf, sheetOf, WINDOW } from './run.ts';

const OTHERS: Readonly<Record<string, string>> = {
  lfe: 'first features (LFENet)',
  add: 'LRL: the first features added',
  prelu: 'PReLU',
  imresize: 'CRL: the input, enlarged by bicubic',
  fusion: 'fusion, before the enlargement',
  up: 'enlarged by pixel shuffle',
  out: 'the result',
};

/** `blocks.0.conv1 fused_conv3d` in words. */
export function wordsFor(name: string): string {
  const [layer] = name.split(' ');
  const [, block, filter] = /^blocks\.(\d+)(?:\.conv(\d))?/.exec(layer) ?? [];
  if (block === undefined) return OTHERS[layer] ?? name;
  return `block ${Number(block) + 1}${filter ? `, filter ${filter}` : ''}`;
}

/** What every op of the last run left behind. */
export function Layers({ run }: { readonly run: Outcome<readonly LayerMaps[]> }) {
  const [chosen, setLayer] = useState(1);
  const [wanted, setChannel] = useState(0);
  const [frame, setFrame] = useState(Math.floor(WINDOW / 2));
  const layers = lastOf(run);
  const layer = Math.min(chosen, (layers?.length ?? 1) - 1);
  const maps = layers?.[layer];
  const [, channels, , height, width] = maps?.shape ?? [1, 1, WINDOW, 1, 1];
  const channel = Math.min(wanted, channels - 1);
  const sheet = useMemo(() => maps && sheetOf(maps, frame), [maps, frame]);
  const most = useMemo(() => (maps ? mostOf(maps, channel) : 1), [maps, channel]);
  const map = useMemo(() => maps && mapOf(maps, channel, frame, most), [maps, channel, frame, most]);
  const columns = sheet?.columns ?? 1;
  const mark = { x: (channel % columns) * width, y: Math.floor(channel / columns) * height, w: width, h: height };
  const pick = (x: number, y: number) => {
    const at = Math.floor(y / height) * columns + Math.floor(x / width);
    if (at < channels) setChannel(at);
  };
  return (
    <Figure id="layers" title="Layer by layer, channel by channel, frame by frame" recorded="layers.png" outcome={run}>
      <Slider
        label="Layer"
        value={layer}
        min={0}
        max={(layers?.length ?? 2) - 1}
        show={(i) => `${i + 1} of ${layers?.length ?? '…'}`}
        onChange={setLayer}
      />
      <Slider
        label="Channel"
        value={channel}
        min={0}
        max={channels - 1}
        show={(c) => `${c + 1} of ${channels}`}
        onChange={setChannel}
      />
      <FrameSlider value={frame} onChange={setFrame} />
      <div class="row">
        <Picture of={sheet} caption="all channels, on one scale; point at one" onPoint={pick} mark={mark} />
        <Picture of={map} caption="the chosen one: grey is 0, white and black its largest size" />
      </div>
      <Values>
        <Value name="Layer">{maps ? wordsFor(maps.name) : '…'}</Value>
        <Value name="The op, as the engine names it">{maps?.name ?? '…'}</Value>
        <Value name="Largest size of a value">{maps ? most.toPrecision(3) : '…'}</Value>
        <Value name="Channels, frames, height, width">{maps?.shape.slice(1).join(' x ') ?? '…'}</Value>
      </Values>
    </Figure>
  );
}
