import type { OpCase } from './op-case.ts';

const enlarged = (name: string, input: number[], attrs: object, rest: Pick<OpCase, 'large'> = {}): OpCase => ({
  op: 'resize_tf1',
  name,
  attrs: { ...attrs },
  inputs: { input },
  ...rest,
});

export const resizeTf1: readonly OpCase[] = [
  enlarged('one pixel', [1, 1, 1, 1], { factor: 2 }),
  enlarged('once', [1, 3, 4, 5], { factor: 1, mode: 'bicubic' }),
  enlarged('bilinear 2', [2, 3, 3, 5], { factor: 2 }),
  enlarged('bilinear 4, frames', [1, 2, 3, 4, 3], { factor: 4 }),
  enlarged('bicubic 2, one row', [1, 6, 1, 5], { factor: 2, mode: 'bicubic' }),
  enlarged('bicubic 4', [2, 5, 4, 3], { factor: 4, mode: 'bicubic' }),
  enlarged('bicubic 3, frames', [1, 1, 2, 3, 6], { factor: 3, mode: 'bicubic' }),
  enlarged('bilinear to 256x256', [1, 3, 64, 64], { factor: 4 }, { large: true }),
];
