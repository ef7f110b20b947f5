import { useMemo, useState } from 'preact/hooks';
import { cut } from '../../lab/clip.ts';
import { lastOf, useLab } from '../../lab/hooks.ts';
import { Picture } from '../../lab/picture.tsx';
import { Choice, Slider, Value, Values } from '../../lab/ui.tsx';
import { Drag, HANDLES, type Handle, LIMITS } from './drag.tsx';
import { downhill, flowColours, flowOf, longest, type Move, STILL, signed, wheel } from './field.ts';
import { MotionFigure, moving } from './moving.tsx';
import { type Padding, warpTowards } from './warps.ts';

const EDGE = 64;
/** Frames from the warped picture to the one it should become, where the clip has as many. */
const APART = 4;

const legend = wheel(48);

export function WarpFigure() {
  const [move, setMove] = useState(STILL);
  const [handle, setHandle] = useState<Handle>('shift');
  const [padding, setPadding] = useState<Padding>('border');
  const now = moving.value;
  const pair = useMemo(() => {
    if (!now) return undefined;
    const at = (n: number) => Math.max(Math.floor((n - EDGE) / 2), 0);
    const [w, h] = [Math.min(EDGE, now.width), Math.min(EDGE, now.height)];
    const square = (t: number) => cut(now.frames[t], at(now.width), at(now.height), w, h);
    const last = Math.min(APART, now.frames.length - 1);
    return { image: square(0), target: square(last), number: last + 1 };
  }, [now]);
  const outcome = useLab(
    async ({ engine }) => {
      if (!pair) return undefined;
      const flow = flowOf(move, pair.image.width, pair.image.height);
      return { flow, warped: await warpTowards(engine, pair.image, flow, pair.target, padding) };
    },
    [pair, move, padding],
  );
  const result = lastOf(outcome);
  const pictures = useMemo(() => {
    if (!result) return undefined;
    const { flow, warped } = result;
    const pull = { ...warped.toFlow, data: warped.toFlow.data.map((v) => -v) };
    return {
      flow: flowColours(flow, Math.max(longest(flow), 1)),
      toImage: signed(warped.toImage),
      pull: flowColours(pull, longest(pull) / 4), // a few edges are far stronger than the rest
    };
  }, [result]);
  const set = (part: Partial<Move>) => setMove({ ...move, ...part });
  const pixels = (v: number) => `${v.toFixed(2)} px`;
  return (
    <MotionFigure id="warp" title="Drag the warped picture onto the target" recorded="warp.png" outcome={outcome}>
      <div class="pictures">
        <Picture of={pair?.image} caption="frame 1" />
        <Drag move={move} handle={handle} width={pair?.image.width ?? 1} onMove={setMove}>
          <Picture of={result?.warped.picture} caption="frame 1, warped: drag it" />
        </Drag>
        <Picture of={pair?.target} caption={`frame ${pair?.number ?? '…'}, the target`} />
        <Picture of={pictures?.flow} caption={`the flow, at most ${pixels(result ? longest(result.flow) : 0)} long`} />
        <Picture of={pictures?.toImage} caption="gradient to frame 1: grey is 0" />
        <Picture of={pictures?.pull} caption="where the loss pulls the flow" />
        <Picture of={legend} caption="colours of directions" zoom={2} />
      </div>
      <Values>
        <Value name="Mean squared error">{result?.warped.loss.toFixed(5) ?? '…'}</Value>
      </Values>
      <Choice label="Dragging" value={handle} of={HANDLES} onChange={setHandle} />
      <Slider
        label="Shift right"
        {...{ value: move.x, min: -LIMITS.shift, max: LIMITS.shift, step: 0.05, show: pixels }}
        onChange={(x) => set({ x })}
      />
      <Slider
        label="Shift down"
        {...{ value: move.y, min: -LIMITS.shift, max: LIMITS.shift, step: 0.05, show: pixels }}
        onChange={(y) => set({ y })}
      />
      <Slider
        label="Turn"
        {...{ value: move.turn, min: -LIMITS.turn, max: LIMITS.turn, step: 0.1, show: (v) => `${v.toFixed(1)}°` }}
        onChange={(turn) => set({ turn })}
      />
      <Slider
        label="Zoom"
        {...{ value: move.zoom, min: LIMITS.zoom[0], max: LIMITS.zoom[1], step: 0.001, show: (v) => v.toFixed(3) }}
        onChange={(zoom) => set({ zoom })}
      />
      <Choice
        label="Outside the picture"
        value={padding}
        of={{ border: 'the border goes on', zeros: 'black' }}
        onChange={setPadding}
      />
      <p class="buttons">
        <button
          type="button"
          disabled={outcome.kind !== 'done'}
          onClick={() => result && setMove(downhill(move, result.warped.toFlow))}
        >
          A step against the gradient
        </button>
        <button type="button" onClick={() => setMove(STILL)}>
          Back to rest
        </button>
      </p>
    </MotionFigure>
  );
}
