import degradeUrl from '../../train/degrade.ts?url';
import metricsUrl from '../../train/metrics.ts?url';
import { Source } from '../lab/source.tsx';
import { tex } from '../lab/ui.tsx';
import { Aliasing } from './lost/aliasing.tsx';
import { Degradations } from './lost/degradations.tsx';
import { Phase } from './lost/phase.tsx';
import { Protocols } from './lost/protocols.tsx';
import { Scores } from './lost/scores.tsx';

export default function Lost() {
  return (
    <>
      <p>
        A camera, a codec or a phone line made your video small. Super-resolution makes it large again. Nothing can
        bring back what is gone; a network can only know what such pictures usually look like. So first: what exactly is
        lost, and how is it measured?
      </p>
      <p>
        To train and to judge, one takes a good picture and makes it small oneself. This step is called the{' '}
        <b>degradation</b>, and there are several: MATLAB's bicubic <code>imresize</code>, which filters before it drops
        pixels; a Gaussian blur before that; a Gaussian blur and then one pixel of each square. Choose one, and look at
        the edges of the enlarged picture. A network trained for one of them does worse on the others. The two scores
        are explained below, and need not agree: of the drawn clip, one pixel of each square is farther from the truth
        by PSNR and nearer to it by SSIM. Luminance scores higher than RGB: its range is 219 of 255 levels, which alone
        makes 1.3 dB, and it averages the errors of three colours.
      </p>
      <Degradations />
      <h3>What is too fine does not vanish by itself</h3>
      <p>
        A grid of samples carries waves of up to half a cycle per sample. At four times fewer samples that is an eighth
        of a cycle per old pixel. A finer wave, sampled anyway, looks exactly like a coarser one: {tex`f`} and{' '}
        {tex`\tfrac14 - f`} give the same samples. This is <b>aliasing</b>. Move the slider: where one pixel of each
        square is taken, new rings appear that were never there, at full contrast. The bicubic filter removes most of
        what is too fine first. No later step can tell a false ring from a true one; but another frame, shifted by a
        fraction of a pixel, samples the same wave elsewhere, and this is what video super-resolution lives on.
      </p>
      <Aliasing />
      <h3>Where does a small pixel lie?</h3>
      <p>
        <code>imresize</code> aligns the edges of the two pictures: low resolution pixel {tex`i`} lies in the middle of
        its square, at {tex`4i + 1.5`}. Who takes every fourth pixel puts it at {tex`4i`}. Both are fine. Mixing them is
        not: the result is then sharp and shifted by a pixel and a half. (Their best scores differ a little too, as they
        leave out different pixels.) Networks learn the grid that they were trained with, so low resolution from another
        program costs decibels that look like a bad network. Find the top of the curve, then change the grid.
      </p>
      <Phase />
      <h3>Two numbers</h3>
      <p>
        <b>PSNR</b> is the logarithm of the mean squared error, {tex`10 \log_{10}(255^2 / \mathrm{MSE})`} in decibels:
        one more means a fifth less error, ten more a tenth of it. It looks at each pixel alone. <b>SSIM</b> compares
        means, variances and covariances of small windows, and is 1 for equal pictures. These three pictures have the
        same PSNR; which looks worst to you, and what does SSIM say?
      </p>
      <Scores />
      <p>
        Both numbers depend on choices that tables rarely print: luminance or RGB, how many pixels are left out at the
        border, whether the result and the small picture are rounded to 8 bits, which window SSIM uses. Papers differ in
        all of them. Change them, and watch the score of one and the same enlargement change: the difference is often as
        large as that between two networks. This is why every number of this project names its <b>protocol</b>. Those in
        the table are of papers: VSR-DUF and its code, VDSR, RCAN, FSTRN, iSeeBetter.
      </p>
      <Protocols />
      <p>
        Look at the real thing: these two files make every low resolution picture and every score, here, in training and
        in the tables of the project.
      </p>
      <Source file="train/degrade.ts" url={degradeUrl}>
        makes pictures small
      </Source>
      <Source file="train/metrics.ts" url={metricsUrl}>
        measures
      </Source>
    </>
  );
}
