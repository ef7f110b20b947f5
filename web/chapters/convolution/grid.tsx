import type { JSX } from 'preact';
import './grid.css';

export interface GridProps {
  readonly values: ArrayLike<number> | undefined;
  readonly edge: number;
  readonly caption: string;
  /** grey: 0 black, 1 white; signed: blue below zero, orange above. */
  readonly look: 'grey' | 'signed';
  /** Rings of zeros around it. */
  readonly padding?: number;
  readonly numbers?: boolean;
  /** Cells of a window; rows and columns count from 0, those of the padding are negative. */
  readonly window?: readonly (readonly [row: number, column: number])[];
  readonly chosen?: readonly [row: number, column: number];
  readonly onPoint?: (row: number, column: number) => void;
}

const CELL = 20;

/** A small square of numbers, each a cell of its own. */
export function Grid(props: GridProps): JSX.Element {
  const { values, edge, caption, look, padding = 0, numbers, window = [], chosen, onPoint } = props;
  const side = edge + 2 * padding;
  const largest = Math.max(...Array.from(values ?? [], Math.abs), 1e-9);
  const point = (event: PointerEvent) => {
    if (!onPoint || (event.type === 'pointermove' && event.buttons === 0)) return;
    const { left, top, width } = (event.currentTarget as Element).getBoundingClientRect();
    const cell = (at: number) =>
      Math.min(Math.max(Math.floor((at / width) * (side + 0.1) - 0.05) - padding, 0), edge - 1);
    onPoint(cell(event.clientY - top), cell(event.clientX - left));
  };
  const box = ([row, column]: readonly [number, number]) => ({
    x: (column + padding) * CELL,
    y: (row + padding) * CELL,
    width: CELL,
    height: CELL,
  });
  return (
    <figure class="picture grid" style={{ '--side': side }}>
      <svg
        class={onPoint ? 'point' : ''}
        viewBox={`-1 -1 ${side * CELL + 2} ${side * CELL + 2}`}
        role="img"
        aria-label={caption}
        onPointerDown={point}
        onPointerMove={point}
      >
        <title>{caption}</title>
        {Array.from({ length: side * side }, (_, i) => {
          const [row, column] = [Math.floor(i / side) - padding, (i % side) - padding];
          const inside = row >= 0 && row < edge && column >= 0 && column < edge;
          const value = inside ? values?.[row * edge + column] : undefined;
          return (
            <g key={i}>
              <rect {...box([row, column])} {...(inside ? paintOf(look, value, largest) : { class: 'outside' })} />
              {numbers && value !== undefined && (
                <text x={(column + padding + 0.5) * CELL} y={(row + padding + 0.5) * CELL}>
                  {short(value)}
                </text>
              )}
            </g>
          );
        })}
        {window.map((cell) => (
          <rect key={cell.join()} class="window" {...box(cell)} />
        ))}
        {chosen && <rect class="chosen" {...box(chosen)} />}
      </svg>
      <figcaption>{caption}</figcaption>
    </figure>
  );
}

/** Clear until there is a value. */
function paintOf(look: GridProps['look'], value: number | undefined, largest: number) {
  if (value === undefined) return { fill: 'none' };
  if (look === 'grey')
    return {
      fill: `rgb(${Array(3)
        .fill(Math.round(255 * value))
        .join()})`,
    };
  return { class: value < 0 ? 'below' : 'above', 'fill-opacity': (0.75 * Math.abs(value)) / largest };
}

/** Three characters or so. */
const short = (value: number): string => {
  const text = value.toFixed(Math.abs(value) >= 10 ? 0 : Math.abs(value) >= 1 ? 1 : 2).replace(/^(-?)0\./, '$1.');
  return Number(text) === 0 ? '0' : text.replace(/\.0$/, '');
};
