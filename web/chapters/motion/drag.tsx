import type { ComponentChildren, JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { Move } from './field.ts';

export const HANDLES = { shift: 'shifts', turn: 'turns and zooms' } as const;
export type Handle = keyof typeof HANDLES;

interface DragProps {
  readonly move: Move;
  readonly handle: Handle;
  /** Width of the picture inside, in its own pixels. */
  readonly width: number;
  readonly onMove: (move: Move) => void;
  readonly children: ComponentChildren;
}

const within = (value: number, most: number): number => Math.min(Math.max(value, -most), most);

/** What is inside follows the pointer. The sliders beside it do the same for keys. */
export function Drag({ move, handle, width, onMove, children }: DragProps): JSX.Element {
  const grabbed = useRef<{ x: number; y: number; move: Move } | undefined>(undefined);
  const place = (event: PointerEvent) => {
    const box = (event.currentTarget as HTMLElement).querySelector('canvas')!.getBoundingClientRect();
    const scale = width / box.width;
    const [x, y] = [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
    return { x: x * scale, y: y * scale };
  };
  const follow = (event: PointerEvent) => {
    if (!grabbed.current || event.buttons === 0) return;
    const { x, y, move: from } = grabbed.current;
    const to = place(event);
    if (handle === 'shift') {
      onMove({ ...move, x: within(from.x + to.x - x, LIMITS.shift), y: within(from.y + to.y - y, LIMITS.shift) });
      return;
    }
    const turned = ((Math.atan2(to.y, to.x) - Math.atan2(y, x)) * 180) / Math.PI;
    const turn = from.turn + (((turned + 540) % 360) - 180);
    const zoom = from.zoom * (Math.hypot(to.x, to.y) / Math.max(Math.hypot(x, y), 1));
    const [least, most] = LIMITS.zoom;
    onMove({ ...move, turn: within(turn, LIMITS.turn), zoom: Math.min(Math.max(zoom, least), most) });
  };
  return (
    <div
      class="drag"
      onPointerDown={(event) => {
        grabbed.current = { ...place(event), move };
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={follow}
      onPointerUp={() => {
        grabbed.current = undefined;
      }}
    >
      {children}
    </div>
  );
}

/** Of the sliders. */
export const LIMITS = { shift: 16, turn: 30, zoom: [0.7, 1.4] } as const;
