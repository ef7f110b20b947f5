import { computed } from '@preact/signals';
import type { ComponentProps, JSX } from 'preact';
import { counted } from '../../../train/words.ts';
import { clip } from '../../lab/clip.ts';
import { Figure } from '../../lab/ui.tsx';

/** Frames in which something can move. */
const LEAST_FRAMES = 2;

const still = computed(() => clip.value && clip.value.frames.length < LEAST_FRAMES);

/** The clip, where it has frames enough. */
export const moving = computed(() => (still.value ? undefined : clip.value));

/** A figure that shows motion, or says that the clip has none. */
export function MotionFigure({ outcome, children, ...rest }: ComponentProps<typeof Figure>): JSX.Element {
  if (!still.value) return <Figure {...{ ...rest, outcome }}>{children}</Figure>;
  const why = `This clip has ${counted(clip.value!.frames.length, 'frame')}: motion needs ${LEAST_FRAMES}`;
  return (
    <Figure {...rest} outcome={{ kind: 'failed', why }}>
      {null}
    </Figure>
  );
}
