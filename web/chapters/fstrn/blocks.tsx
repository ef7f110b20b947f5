import type { Engine } from '../../../engine/engine.ts';
import type { Fstrn } from '../../../nets/fstrn.ts';
import { macsFor } from '../../../nets/net.ts';
import { compareFrame } from '../../../train/metrics.ts';
import { protocolFor } from '../../../train/validation.ts';
import { breathe } from '../../lab/device.ts';
import { lastOf } from '../../lab/hooks.ts';
import { clockOf, timeTogether } from '../../lab/timing.ts';
import { Figure } from '../../lab/ui.tsx';
import { type Block, enlarge, inputOf, type Scene, WINDOW, withNet } from './run.ts';
import { useScene } from './use-scene.ts';

interface Facts {
  readonly name: string;
  readonly parameters: number;
  readonly inBlocks: number;
  /** For one pixel of one frame of the input. */
  readonly macs: number;
  readonly psnr: number;
  readonly ms: number;
}

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
            rows: [
              await factsOf(engine, separable, scene, 'separable', first.ms),
              await factsOf(engine, full, scene, 'full 3D', second.ms),
            ],
          };
        }),
      );
    },
    [],
    ready,
  );
  const facts = lastOf(outcome);
  const rows = facts?.rows ?? [];
  const ratio = (of: (facts: Facts) => number) => (rows.length === 2 ? (of(rows[1]) / of(rows[0])).toFixed(2) : '…');
  return (
    <Figure id="blocks" title="The same network, two kinds of block" recorded="blocks.png" outcome={outcome}>
      <div class="measured">
        <table>
          <thead>
            <tr>
              <th>Blocks</th>
              <th>Parameters</th>
              <th>in blocks</th>
              <th>Multiply-adds a pixel</th>
              <th>ms</th>
              <th>PSNR, dB</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, parameters, inBlocks, macs, ms, psnr }) => (
              <tr key={name}>
                <td>{name}</td>
                <td>{parameters}</td>
                <td>{inBlocks}</td>
                <td>{Math.round(macs)}</td>
                <td>{ms.toFixed(1)}</td>
                <td>{psnr.toFixed(2)}</td>
              </tr>
            ))}
            <tr>
              <td>full / separable</td>
              <td>{ratio((row) => row.parameters)}</td>
              <td>{ratio((row) => row.inBlocks)}</td>
              <td>{ratio((row) => row.macs)}</td>
              <td>{ratio((row) => row.ms)}</td>
              <td />
            </tr>
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

async function factsOf(engine: Engine, net: Fstrn, scene: Scene, name: string, ms: number): Promise<Facts> {
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
  return { name, parameters: net.parameterCount(), inBlocks, macs, psnr: sum / WINDOW, ms };
}
