import type { JSX } from 'preact';

export interface Chapter {
  /** In the address: #lost. */
  readonly id: string;
  readonly title: string;
  /** What one learns, in a sentence. */
  readonly promise: string;
  readonly minutes: number;
  load(): Promise<{ default: () => JSX.Element }>;
}

export const chapters: readonly Chapter[] = [
  {
    id: 'lost',
    title: 'What is lost',
    promise: 'Why small pictures cannot simply be enlarged, and what PSNR and SSIM see of it.',
    minutes: 6,
    load: () => import('./lost.tsx'),
  },
  {
    id: 'separable',
    title: 'Separable in space and time',
    promise: 'Why a block of two small convolutions is cheaper than one large one, and by how much on your device.',
    minutes: 8,
    load: () => import('./separable.tsx'),
  },
  {
    id: 'pixels',
    title: 'Making pixels',
    promise:
      'Three ways to a larger picture, the holes and the checkerboards they leave, and how to begin without them.',
    minutes: 6,
    load: () => import('./pixels.tsx'),
  },
  {
    id: 'motion',
    title: 'Motion',
    promise: 'How neighbouring frames are brought together, what a loss says about motion, and why video flickers.',
    minutes: 8,
    load: () => import('./motion.tsx'),
  },
];
