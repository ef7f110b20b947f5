import type { Engine } from '../../../engine/engine.ts';
import type { Fstrn } from '../../../nets/fstrn.ts';
import { macsFor } from '../../../nets/net.ts';
import { compareFrame } from '../../../train/metrics.ts';
import { protocolFor } from '../../../train/validation.ts';
import { breathe } from '../../lab/device.ts';
import { lastOf } from '../../lab/hooks.ts';
import { clockOf, timeTogether } from '../../lab/timing.ts';
import { Figure, threeDigits } from '../../lab/ui.tsx';
import { type Block, enlarge, inputOf, type Scene, WINDOW, withNet } from './run.ts';
import { useScene } from './use-scene.ts';

interface Facts {
  readonly parameters: number;
  readonly inBlocks: number;
  /** For one pixel of one frame of the input. */
  readonly macs: number;
  readonly psnr: number;
  readonly ms: number;
}

interface Measure {
  readonly name: string;
  readonly of: (facts: Facts) => number;
  readonly show: (value: number) => string;
  /** A ratio of decibels says nothing. */
  readonly compared?: boolean;
}

const whole = (n: number): string => Math.round(n).toLocaleString('en');
const MEASURES: readonly Measure[] = [
  { name: 'Parameters', of: ({ parameters }) => parameters, show: whole },
  { name: 'of these, in blocks', of: ({ inBlocks }) => inBlocks, show: whole },
  { name: 'Multiply-adds for a pixel', of: ({ macs }) => macs, show: whole },
  { name: `Time for ${WINDOW} frames, ms`, of: ({ ms }) => ms, show: threeDigits },
  { name: 'PSNR, dB', of: ({ psnr }) => psnr, show: (dB) => dB.toFixed(2), compared: false },
];

/** Both trained networks on the same frames. */
export function Blocks({ ready }: { readonly ready: boolean }) {
  const outcome = useScene(
    async ({ engine, software }, scene, signal) => {
      const on = (block: Block) => ({ block, localResidual: true, crossResidual: true });
      return withNet(engine, on('separable'), (separable) =>
        withNet(engine, on('full'), async (full) => {
          using _scope = engine.scope();
          const x = inputOf(engine, scene);
          const works = [separable, full].map((net) => () => {
            using _scope = engine.scope();
            net.forward(x);
          });
          const [first, second] = await timeTogether(engine, works, { signal, samples: software ? 3 : 9 });
          return {
            clock: clockOf(engine),
            rows: [await factsOf(engine, separable, scene, first.ms), await factsOf(engine, full, scene, second.ms)],
          };
        }),
      );
    },
    [],
    ready,
  );
  const facts = lastOf(outcome);
  const [separable, full] = facts?.rows ?? [];
  return (
    <Figure id="blocks" title="The same network, two kinds of block" recorded="blocks.png" outcome={outcome}>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th scope="col">Blocks</th>
              <th scope="col">separable</th>
              <th scope="col">full 3D</th>
              <th scope="col">full / separable</th>
            </tr>
          </thead>
          <tbody>
            {MEASURES.map(({ name, of, show, compared = true }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{separable ? show(of(separable)) : '…'}</td>
                <td>{full ? show(of(full)) : '…'}</td>
                <td>{compared && (full ? `${(of(full) / of(separable)).toFixed(2)}x` : '…')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <figcaption>
        {WINDOW} frames enlarged at once, timed by {facts?.clock ?? '…'}; multiply-adds of the whole network for one
        pixel of one small frame.
      </figcaption>
    </Figure>
  );
}

async function factsOf(engine: Engine, net: Fstrn, scene: Scene, ms: number): Promise<Facts> {
  let inBlocks = 0;
  for (const [path, { shape }] of net.namedParameters()) {
    if (path.startsWith('blocks.')) inBlocks += shape.reduce((a, b) => a * b, 1);
  }
  const results = await enlarge(engine, net, scene);
  let sum = 0;
  for (const [t, truth] of scene.truth.entries()) {
    sum += compareFrame(truth, results[t], protocolFor(truth)).psnr;
    await breathe();
  }
  const [{ width, height }] = scene.low;
  const macs = macsFor(engine, net, WINDOW, height, width) / (WINDOW * width * height);
  return { parameters: net.parameterCount(), inBlocks, macs, psnr: sum / WINDOW, ms };
}
