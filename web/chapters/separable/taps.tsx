import type { JSX } from 'preact';
import { counted } from '../../../train/words.ts';

const CELL = 9;
const GAP = 5;

interface StackProps {
  readonly k: number;
  readonly title: string;
  /** Whether the tap of a frame, a row and a column is there. */
  readonly has: (d: number, i: number, j: number) => boolean;
}

/** A window over k frames, frame beside frame; the taps that a convolution has are filled. */
function Stack({ k, title, has }: StackProps): JSX.Element {
  const axis = Array.from({ length: k }, (_, i) => i);
  const [width, height] = [k * (k * CELL + GAP) - GAP, k * CELL];
  const count = axis.flatMap((d) => axis.flatMap((i) => axis.filter((j) => has(d, i, j)))).length;
  return (
    <figure class="picture taps">
      <svg viewBox={`-1 -1 ${width + 2} ${height + 2}`} role="img" aria-label={`${title}: ${counted(count, 'tap')}`}>
        {axis.flatMap((d) =>
          axis.flatMap((i) =>
            axis.map((j) => (
              <rect
                key={`${d} ${i} ${j}`}
                class={has(d, i, j) ? 'tap' : ''}
                x={d * (k * CELL + GAP) + j * CELL}
                y={i * CELL}
                width={CELL - 1}
                height={CELL - 1}
              />
            )),
          ),
        )}
      </svg>
      <figcaption>
        {title}: {counted(count, 'tap')}
      </figcaption>
    </figure>
  );
}

/** The windows of the three convolutions, over k frames. */
export function Taps({ k }: { readonly k: number }): JSX.Element {
  const r = (k - 1) / 2;
  return (
    <div class="pictures" style={{ '--least': '14rem' }}>
      <Stack k={k} title={`${k}×${k}×${k}, all at once`} has={() => true} />
      <Stack k={k} title={`1×${k}×${k}, in one frame`} has={(d) => d === r} />
      <Stack k={k} title={`then ${k}×1×1, over frames`} has={(_, i, j) => i === r && j === r} />
    </div>
  );
}
