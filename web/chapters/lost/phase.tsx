import { useMemo, useState } from 'preact/hooks';
import { type Degradation, degrade } from '../../../train/degrade.ts';
import { compareFrame, DEFAULT_PROTOCOL } from '../../../train/metrics.ts';
import { lumaOf } from '../../lab/clip.ts';
import { breathe } from '../../lab/device.ts';
import { lastOf, useHost } from '../../lab/hooks.ts';
import { Picture } from '../../lab/picture.tsx';
import { Plot } from '../../lab/plot.tsx';
import { Choice, Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import { decibels, enlarge, FINE, useSquare } from './pictures.ts';

const SCALE = 4;
const grids = { bicubic: '4i + 1.5: imresize', spmc: '4i: the same filter, other grid' } as const;
type Grid = keyof typeof grids;
const own: Record<Grid, number> = { bicubic: 1.5, spmc: 0 };

const PHASES = Array.from({ length: 3 * FINE + 1 }, (_, i) => i / FINE);

/** Where low resolution pixels lie, and what it costs to believe them elsewhere. */
export function Phase() {
  const [grid, setGrid] = useState<Grid>('bicubic');
  const [phase, setPhase] = useState(0);
  const square = useSquare();
  const outcome = useHost(
    async (signal) => {
      if (!square) return undefined;
      const y = lumaOf(square);
      const low = degrade(y.data, y.width, y.height, grid as Degradation, SCALE);
      const results = [];
      for (const believed of PHASES) {
        const up = enlarge(low, SCALE, believed);
        results.push({ up, score: compareFrame(y, up, DEFAULT_PROTOCOL) });
        await breathe();
        if (signal.aborted) return undefined;
      }
      return results;
    },
    [square, grid],
  );
  const results = lastOf(outcome);
  const lines = useMemo(
    () => [
      { label: 'PSNR', y: PHASES.map((_, i) => results?.[i].score.psnr ?? null) },
      {
        label: 'as believed',
        y: PHASES.map((at, i) => (at === phase && results?.[i].score.psnr) || null),
        points: true,
      },
    ],
    [results, phase],
  );
  const at = (believed: number) => results?.[PHASES.indexOf(believed)];
  const [right, now] = [at(own[grid]), at(phase)];
  const lost = right && now && right.score.psnr - now.score.psnr;
  return (
    <Figure id="phase" title="The same small picture, enlarged with a grid in mind" outcome={outcome}>
      <Choice label="Low resolution pixel i lies at" value={grid} of={grids} onChange={setGrid} />
      <Slider
        label="The enlargement believes"
        value={phase}
        min={0}
        max={3}
        step={1 / FINE}
        show={(s) => `4i + ${s}`}
        onChange={setPhase}
      />
      <div class="pictures">
        <Picture of={right?.up} caption="enlarged from the right grid" />
        <Picture of={now?.up} caption={`enlarged as if from 4i + ${phase}`} />
      </div>
      <Plot x={PHASES} lines={lines} xLabel="believed phase, pixels" yLabel="PSNR, dB" height={180} />
      <Values>
        <Value name="PSNR, right grid">{decibels(right?.score)}</Value>
        <Value name="PSNR, as believed">{decibels(now?.score)}</Value>
        <Value name="lost by the shift alone">{lost === undefined ? '…' : `${lost.toFixed(2)} dB`}</Value>
      </Values>
    </Figure>
  );
}
