import warpUrl from '../../shaders/bilinear.wgsl?url';
import flowUrl from '../../train/flow/coarse2fine.ts?url';
import { Source } from '../lab/source.tsx';
import { tex } from '../lab/ui.tsx';
import { EstimateFigure } from './motion/estimate-figure.tsx';
import { TradeoffFigure } from './motion/tradeoff-figure.tsx';
import { WarpFigure } from './motion/warp-figure.tsx';
import './motion/motion.css';

export default function Motion() {
  return (
    <>
      <p>
        What one frame lost, its neighbours may have kept, but somewhere else: things move. <b>Optical flow</b> gives
        each pixel {tex`p`} a vector {tex`f(p)`}, and <b>warping</b> fetches every pixel from where the vector points:
      </p>
      <p class="block">{tex`y(p) = x\bigl(p + f(p)\bigr)`}</p>
      <p>
        The place is seldom a whole pixel, so four neighbours are mixed by their distances, which is called bilinear.
        Note the direction: to move a picture to the right, each pixel must look to the left.
      </p>
      <WarpFigure />
      <p>
        Bilinear mixing is smooth enough to have gradients, so a network can learn motion from nothing but a loss on the
        pictures. The gradient to the picture is the loss's own gradient, handed back to the four pixels that were
        mixed. The gradient to the flow is that gradient times the slope of the picture: where the picture is flat,
        moving changes nothing, and the loss cannot tell where to go. Look for colours along edges, and white inside
        plain areas. Press the button a few times: it walks down the sum of these small pulls.
      </p>
      <h3>Flow that is found</h3>
      <p>
        A clip moves in many ways at once. The method here, which RBPN's authors used for their training data, begins
        with tiny copies of both frames, where large motion is small, and refines the flow from size to size. It runs in
        a thread of its own. Where something comes out from behind something else there is no right answer: the pixel
        cannot be seen in the other frame. One can tell by going there with one flow and back with the other: what does
        not end within a pixel of where it began was <b>covered</b>.
      </p>
      <EstimateFigure />
      <p>
        Raise the distance between the frames and watch the first two numbers fall. The third falls less, and not at
        every step: where both frames show a pixel, the flow is still nearly as good. What is covered grows with the
        distance. Networks for video must know when not to trust a warped neighbour.
      </p>
      <h3>Sharp frames that flicker</h3>
      <p>
        A method that treats every frame alone makes other errors in each, and errors that change from frame to frame
        flicker. PSNR does not see that. A <b>temporal profile</b> does: one column of every frame, side by side. Still
        things become lines, flicker becomes noise along them. The <b>warping error</b> puts it in a number: how far
        frames differ after the second is moved onto the first, counting only what both show.
      </p>
      <p>
        One end of the slider is each frame alone, here simply the true frame with a fresh error; the other is the
        average of three neighbouring frames. Averaging in place calms the flicker and smears what moves: beyond some
        point PSNR falls while the warping error still gets better. That is the trade-off between space and time; the
        larger the error of each frame, the later the turn. Now average along the motion. Both numbers get better at
        once, which is why networks for video align frames before they combine them. (The motion is that of the true
        frames; a real method must find it in worse ones.)
      </p>
      <TradeoffFigure />
      <Source file="shaders/bilinear.wgsl" url={warpUrl}>
        warps, and computes both gradients.
      </Source>
      <Source file="train/flow/coarse2fine.ts" url={flowUrl}>
        finds the flow.
      </Source>
    </>
  );
}
