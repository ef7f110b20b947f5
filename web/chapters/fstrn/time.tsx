import { useMemo, useState } from 'preact/hooks';
import type { KernelTime } from '../../../engine/commands.ts';
import { breathe, Superseded } from '../../lab/device.ts';
import { lastOf } from '../../lab/hooks.ts';
import { Choice, Figure, threeDigits, Value, Values } from '../../lab/ui.tsx';
import { wordsFor } from './layers.tsx';
import { inputOf, type Switches, withNet } from './run.ts';
import { useScene } from './use-scene.ts';

const groupings = { layer: 'layer', op: 'op', label: 'kernel' } as const;
const headings = { layer: 'Layer', op: 'Op', label: 'Kernel' } as const;
type Grouping = keyof typeof groupings;

/** Browsers round the device's clock, as coarsely as 0.1 ms: many runs make up for it. */
const MOST_RUNS = 16;
const SPEND_MS = 1000;

/** The same run, every dispatch timed on the device's own clock. */
export function WhereTimeGoes({ on, ready }: { readonly on: Switches; readonly ready: boolean }) {
  const [by, setBy] = useState<Grouping>('layer');
  const outcome = useScene(
    async ({ engine }, scene, signal) => {
      if (!engine.caps.timestamps) return { runs: 0, times: [] };
      return withNet(engine, on, async (net) => {
        using _scope = engine.scope();
        const x = inputOf(engine, scene);
        const run = () => {
          using _scope = engine.scope();
          net.forward(x);
        };
        await engine.compile(run);
        await engine.profile(run); // the device awakes
        const times: KernelTime[] = [];
        let runs = 0;
        for (const began = performance.now(); runs < MOST_RUNS && performance.now() - began < SPEND_MS; runs++) {
          times.push(...(await engine.profile(run)));
          await breathe();
          if (signal.aborted) throw new Superseded();
        }
        return { runs, times };
      });
    },
    [on],
    ready,
  );
  const { runs, times } = lastOf(outcome) ?? { runs: 0, times: [] };
  const rows = useMemo(() => grouped(times, runs, by), [times, runs, by]);
  const total = rows.reduce((sum, { ms }) => sum + ms, 0);
  const share = (ms: number) => (total > 0 ? (100 * ms) / total : 0); // some clocks tick too slowly to see any
  if (outcome.kind === 'done' && runs === 0) {
    return (
      <Figure id="time" title="Where the time goes" outcome={outcome}>
        <p>
          This adapter gives pages no timestamps: the project's command line, subpixel profile, shows what would be
          here.
        </p>
      </Figure>
    );
  }
  return (
    <Figure id="time" title="Where the time goes" recorded="time.png" outcome={outcome}>
      <Choice label="Add up by" value={by} of={groupings} onChange={setBy} />
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th scope="col">{headings[by]}</th>
              <th scope="col">Share</th>
              <th scope="col">ms</th>
              <th scope="col">GFLOP/s</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, ms, gflops }) => (
              <tr key={name}>
                <th scope="row">
                  {name}
                  <span class="bar" style={{ width: `${share(ms)}%` }} />
                </th>
                <td>{Math.round(share(ms))} %</td>
                <td>{threeDigits(ms)}</td>
                <td>{gflops > 0.005 ? gflops.toFixed(2) : ''}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Values>
        <Value name="One run">{runs ? `${threeDigits(total)} ms` : '…'}</Value>
        <Value name="Dispatches">{runs ? times.length / runs : '…'}</Value>
        <Value name="Mean of">{runs ? `${runs} runs` : '…'}</Value>
      </Values>
    </Figure>
  );
}

/** Mean times of one run, the longest first. */
function grouped(times: readonly KernelTime[], runs: number, by: Grouping) {
  const groups = new Map<string, { us: number; flops: number }>();
  for (const time of times) {
    const name = by === 'layer' ? wordsFor(time.layer || time.op) : time[by];
    const group = groups.get(name) ?? { us: 0, flops: 0 };
    groups.set(name, { us: group.us + time.us, flops: group.flops + time.flops });
  }
  return [...groups]
    .map(([name, { us, flops }]) => ({ name, ms: us / runs / 1000, gflops: us > 0 ? flops / us / 1000 : 0 }))
    .sort((a, b) => b.ms - a.ms);
}
