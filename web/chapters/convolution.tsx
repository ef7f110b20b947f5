import { useState } from 'preact/hooks';
import referenceUrl from '../../engine/reference/convolution.ts?url';
import shaderUrl from '../../shaders/conv.direct.wgsl?url';
import { useLab } from '../lab/hooks.ts';
import { Source } from '../lab/source.tsx';
import { tex } from '../lab/ui.tsx';
import { Check } from './convolution/check.tsx';
import { convolve, EDGE, type LossName, type Settings } from './convolution/compute.ts';
import { FramesFigure, usePatch } from './convolution/frames.tsx';
import { InputGradient, WeightGradient } from './convolution/gradients.tsx';
import { WindowFigure } from './convolution/window.tsx';

export default function Convolution() {
  const [settings, setSettings] = useState<Settings>({ filter: 'edges', stride: 1, padding: 0, dilation: 1 });
  const [loss, setLoss] = useState<LossName>('one');
  const [exponent, setExponent] = useState(-2);
  const patch = usePatch();
  const outcome = useLab(
    async (lab) => {
      if (!patch) return undefined;
      return convolve(lab, patch.subarray(0, EDGE * EDGE), settings, loss, 2 ** exponent);
    },
    [patch, settings, loss, exponent],
  );
  const shared = {
    settings,
    change: (part: Partial<Settings>) => setSettings((now) => ({ ...now, ...part })),
    outcome,
    loss,
    setLoss,
  };
  return (
    <>
      <p>
        Almost everything that the networks of this field compute is convolution: each output pixel is a weighted sum of
        a small window of input pixels, and the weights are the same everywhere. In one dimension
      </p>
      <p class="block">{tex`y_p = \sum_{j=0}^{k-1} w_j \, x_{p s - a + j d}`}</p>
      <p>
        with {tex`k`} taps, <b>stride</b> {tex`s`}, <b>padding</b> {tex`a`} and <b>dilation</b> {tex`d`}. The stride is
        how far the window moves from one output to the next; the padding is how many zeros stand around the input; the
        dilation is how far the taps of the filter lie apart. (Signal processing flips the filter first and calls this
        one correlation. Deep learning does not flip, and calls it convolution all the same.) These are nine by nine
        pixels of the clip. Move the window, then change the three numbers, and watch which pixels it reads and how many
        outputs there are: {tex`\lfloor (n + 2a - d(k-1) - 1)/s \rfloor + 1`}.
      </p>
      <WindowFigure {...shared} />
      <h3>Over frames</h3>
      <p>
        A video has one more axis, and the window may reach along it: a filter of 3x3x3 mixes three frames. At the first
        and the last frame there are zeros beyond, as at the border of a picture; look at what that does to the mean. A
        3x1x1 filter reads one pixel of each of three frames: it sees change, and with the last choice nothing else. The
        next chapter counts the products.
      </p>
      <FramesFigure patch={patch} />
      <h3>Back to the input</h3>
      <p>
        To learn, a network needs to know how its loss {tex`L`} changes with every number in it. An output {tex`y_p`}{' '}
        read the pixel {tex`x_q`} with the weight {tex`w_j`}, so it returns {tex`w_j`} times its own gradient. (The
        engine's <b>tape</b> writes down each op as it runs, and walks back over them to do this for all numbers at
        once.) With a loss of one output alone, the filter itself appears in {tex`\partial L / \partial x`}, where the
        window was. Now stand at an input pixel and collect from all outputs that read it: the one to the right read it
        with its left tap, the one above with its lower tap.{' '}
        {tex`\partial L/\partial x_q = \sum_j w_j \, \partial L/\partial y_{q + a - j d}`} at stride 1: a convolution
        again, of the output's gradient, with the filter <b>flipped</b>. At stride 2 the outputs lie two pixels apart,
        and neighbouring pixels are reached by different taps.
      </p>
      <InputGradient {...shared} />
      <h3>Back to the filter</h3>
      <p>
        A weight is used at every position, so its gradient is a sum over all of them:{' '}
        {tex`\partial L/\partial w_j = \sum_p \partial L/\partial y_p \, x_{p s - a + j d}`}. That is the input,{' '}
        <b>correlated</b> with the gradient of the output, as if this were a large filter. Choose a loss of all outputs,
        above or here below: with the sum, the nine numbers are sums of the input, almost alike. Choose the tap.
      </p>
      <WeightGradient {...shared} />
      <h3>Is it right?</h3>
      <p>
        There is a judge that knows no calculus: change one number a little, compute everything again, and see what the
        loss does, {tex`(L(x + h) - L(x - h)) / 2h`}. The page does so for all 81 pixels and 9 weights on your device.
        Convolution is linear, so this is exact for any step {tex`h`}, but for rounding: 32-bit floats keep seven
        digits, and a small step loses them in the difference. Make the step small and watch the agreement go. The other
        judge is the project's plain definition in 64 bits.
      </p>
      <Check outcome={outcome} exponent={exponent} setExponent={setExponent} />
      <p>
        And this is how it is done on the GPU. In the plainest of the engine's kernels one invocation computes four
        channels of one output pixel, and there is no second kernel for the gradient of the input: transposed and
        flipped weights, and for larger strides one gather for each phase, make it the same loop.
      </p>
      <Source file="shaders/conv.direct.wgsl" url={shaderUrl}>
        the plain kernel, forward and back to the input
      </Source>
      <Source file="engine/reference/convolution.ts" url={referenceUrl}>
        the definition that judges all kernels
      </Source>
    </>
  );
}
