import type { OpCase } from './op-case.ts';

/** Gates for a cell of so many channels, which is there unless `first`. */
function lstmCell(
  name: string,
  [n, channels, ...spatial]: number[],
  { first = false, large, ...attrs }: { first?: boolean; forget_bias?: number } & Pick<OpCase, 'large'> = {},
): OpCase {
  const gates = [n, 4 * channels, ...spatial];
  const inputs = { gates, ...(!first && { cell: [n, channels, ...spatial] }) };
  return { op: 'lstm_cell', name, attrs, inputs, range: { gates: { low: -3, high: 3 } }, large };
}

export const lstmCases: readonly OpCase[] = [
  lstmCell('one element', [1, 1, 1, 1]),
  lstmCell('one element, the first step', [1, 1, 1, 1], { first: true }),
  lstmCell('matrix', [3, 6]),
  lstmCell('odd channels', [2, 5, 3, 7]),
  lstmCell('odd channels, the first step, no bias', [2, 3, 4, 5], { first: true, forget_bias: 0 }),
  lstmCell('frames', [1, 2, 3, 4, 5], { forget_bias: 0.5 }),
  lstmCell('8 channels', [2, 8, 5, 9]),
  lstmCell('8 channels, the first step', [1, 8, 3, 3], { first: true }),
  lstmCell('64 channels', [1, 64, 9, 8]),
  lstmCell('256x256', [1, 4, 256, 256], { large: true }),
];

export const refusedLstm: readonly OpCase[] = [
  { op: 'lstm_cell', name: 'gates of no four', inputs: { gates: [1, 6, 3, 3] } },
  { op: 'lstm_cell', name: 'a cell of other channels', inputs: { gates: [1, 8, 3, 3], cell: [1, 8, 3, 3] } },
  { op: 'lstm_cell', name: 'a cell of another size', inputs: { gates: [1, 8, 3, 3], cell: [1, 2, 3, 4] } },
  { op: 'lstm_cell', name: 'a vector', inputs: { gates: [8] } },
];
