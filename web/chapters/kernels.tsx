import { Edit } from './kernels/edit.tsx';
import { Ladder, SideBySide } from './kernels/ladder.tsx';
import { Puzzles } from './kernels/puzzle-box.tsx';
import './kernels/kernels.css';

export default function Kernels() {
  return (
    <>
      <p>
        A convolution is a nest of loops around one multiply-add. A GPU does a trillion multiply-adds in a second, but
        only if their operands are at hand: fetching two numbers from memory takes longer than many multiplications. So
        fast kernels differ from slow ones in one thing: <b>how often each number that was fetched is used</b> before it
        is forgotten.
      </p>
      <p>
        Below is one 3×3×3 layer, computed by the project's own shaders from the plainest to the fused ones, on your
        device. The <b>peak</b> is what it reaches with multiply-adds on registers alone, with no memory at all. A
        kernel that makes every multiply-add of the definition stays below it, and the distance says how much it waits;
        Winograd's way makes fewer of them, and is rated as if it made all. Look for the rungs that help your device and
        those that do not. The ranking on a processor says nothing about a GPU: for processors the project's order of
        kernels is built in, on GPUs it can time them against each other and take the fastest.
      </p>
      <Ladder />
      <p>
        The last column is the largest difference from the naive result, as a part of its largest value. It is rarely
        zero: float32 sums depend on their order, and every rung adds in another. Read two of the files beside each
        other. What the convolutions compute stands in the first lines of <code>conv.direct.wgsl</code> (Winograd's and
        the separable block's in their own); the first lines of the others say who loads, where it lies, and who uses
        it.
      </p>
      <SideBySide />
      <p>
        The naive kernel is the one to change. When you press the button your text is compiled, runs in the place of the
        file within the engine, is compared with plain loops in float64 on odd sizes, with stride, groups and everything
        fused, and is timed in turn with ours (the same text twice differs by some percent, on a processor by more).
        Try: <code>WORKGROUP = 256u</code>, and why <code>32u</code> fails (the engine starts as many workgroups as 64
        invocations each make enough); taking the loop over <code>ci</code> out of the others; loading four inputs at a
        time for one group; leaving the check <code>v &gt;= g.src.z</code> away, to see what a test on odd sizes is for.
      </p>
      <Edit />
      <h3>Write your own</h3>
      <p>
        Five kernels that this field lives on. Each comes with its bindings and a sentence on how it is dispatched. In
        these puzzles arrays are plain float32 in PyTorch's order, so that indices read like the formulas; the project's
        shaders have channels last, four at a time, and each story says what that changes. The tests take sizes that are
        multiples of nothing. A value nobody wrote is told from a wrong one, and a loop that never ends is stopped and
        named.
      </p>
      <Puzzles />
    </>
  );
}
