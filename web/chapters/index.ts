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
    id: 'convolution',
    title: 'Convolution, seen',
    promise: 'What one output pixel is made of, over rows, columns and frames, and how gradients find their way back.',
    minutes: 8,
    load: () => import('./convolution.tsx'),
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
  {
    id: 'fstrn',
    title: 'FSTRN taken apart',
    promise: 'What a trained network does between the small frames and the large ones, layer by layer.',
    minutes: 8,
    load: () => import('./fstrn.tsx'),
  },
  {
    id: 'training',
    title: 'Train it here',
    promise: 'A tiny network learns in this page: what loss, block and learning rate do to it.',
    minutes: 8,
    load: () => import('./training.tsx'),
  },
  {
    id: 'kernels',
    title: 'The ladder of kernels',
    promise:
      'How one convolution becomes many times faster, rung by rung on your device; then write kernels of your own.',
    minutes: 10,
    load: () => import('./kernels.tsx'),
  },
];
