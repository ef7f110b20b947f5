import { useState } from 'preact/hooks';
import fstrnUrl from '../../nets/fstrn.ts?url';
import { lastOf, type Outcome } from '../lab/hooks.ts';
import { Source } from '../lab/source.tsx';
import { tex } from '../lab/ui.tsx';
import { Blocks } from './fstrn/blocks.tsx';
import './fstrn/fstrn.css';
import { Layers } from './fstrn/layers.tsx';
import { Result, type Run } from './fstrn/result.tsx';
import { runLayers, type Switches, withNet } from './fstrn/run.ts';
import { WhereTimeGoes } from './fstrn/time.tsx';
import { useScene } from './fstrn/use-scene.ts';

export default function FstrnTakenApart() {
  const [on, setOn] = useState<Switches>({ block: 'separable', localResidual: true, crossResidual: true });
  const run = useScene(
    ({ engine }, scene, signal): Promise<Run> =>
      withNet(engine, on, async (net) => ({ scene, on, layers: await runLayers(engine, net, scene, signal) })),
    [on],
  );
  const ready = lastOf(run) !== undefined;
  const layers = mapped(run, (value) => value.layers);
  return (
    <>
      <p>
        FSTRN (Li and others, CVPR 2019) looks at five small frames together and enlarges all five. It is a short
        program: one convolution makes features, residual blocks refine them, one convolution prepares the enlargement,
        pixel shuffle makes the pixels, one more convolution draws the picture. (The authors' code enlarges by a
        transposed convolution of kernel 3 and stride 4, whose holes chapter 4 showed, and lets CRL carry a bilinear
        picture: there this project differs.) Here is a small one, 16 channels and 3 blocks, trained by this project on
        twelve drawn clips. The clip that comes with this page was not among them.
      </p>
      <p>
        Two paths go around the work. <b>LRL</b> adds the first features to the last ones. <b>CRL</b> adds the input,
        enlarged by bicubic interpolation, to the output, so that the network makes only the difference. Its weights are
        trained with both. Switch them off and see what the rest does alone.
      </p>
      <Result run={run} on={on} onChange={setOn} />
      <p>
        What to look for: with both on, show the errors and drag. Edges, such as the disc's, are thinner on the
        network's side. Bars finer than the small pictures' pixels stay lost on both, and so does noise: nothing tells
        what it was. Without CRL the picture is gone, and what remains are edges: that is what it learned to add.
        Without LRL the blocks' output stands alone, a mixture that the last layers were never trained on, and part of
        the gain is gone.
      </p>
      <Layers run={layers} />
      <p>
        These are the results of the ops in the order in which they ran, heard by the engine's tracer while the network
        ran as it always does. Move the frame and watch which channels move with the picture and which stay: a filter
        over three frames can answer to change itself. A separable block leaves one result, a full one two: the
        separable block is one op of the engine, {tex`x + W_t * (W_s * \mathrm{PReLU}(x))`}.
      </p>
      <Blocks ready={ready} />
      <p>
        In {tex`W_s`} and {tex`W_t`} of a separable block are {tex`9 + 3`} taps. The full block of FSTRN's comparison
        has two filters of 27, not one as in chapter 3: so its weights are 54/12 = 4.5 times as many, not 2.25 times.
        The rest of the network is the same for both, so the whole gets cheaper by less than the blocks do, and the time
        by less again where kernels wait for memory or for their start rather than for arithmetic.
      </p>
      <WhereTimeGoes on={on} ready={ready} />
      <p>
        It follows the switches above. What costs most is often not what has most weights: the last convolution works on
        sixteen times as many pixels as the blocks do.
      </p>
      <Source file="nets/fstrn.ts" url={fstrnUrl}>
        is all of it.
      </Source>
    </>
  );
}

const mapped = <T, R>(outcome: Outcome<T>, of: (value: T) => R): Outcome<R> =>
  outcome.kind === 'done'
    ? { kind: 'done', value: of(outcome.value) }
    : outcome.kind === 'waiting'
      ? { kind: 'waiting', last: outcome.last && of(outcome.last) }
      : outcome;
