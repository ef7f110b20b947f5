import { prelu } from '../../../engine/reference/activation.ts';
import type { NDArray } from '../../../engine/reference/array.ts';
import { conv } from '../../../engine/reference/convolution.ts';
import { separableConv3d } from '../../../engine/reference/separable.ts';
import { pixelShuffle } from '../../../engine/reference/shuffle.ts';
import { warp } from '../../../engine/reference/warp.ts';
import bilinearUrl from '../../../shaders/bilinear.wgsl?url';
import rowsUrl from '../../../shaders/conv.rows.wgsl?url';
import shuffleUrl from '../../../shaders/pixel_shuffle.wgsl?url';
import preluUrl from '../../../shaders/prelu.wgsl?url';
import separableUrl from '../../../shaders/separable.subgroup.wgsl?url';
import type { Puzzle } from './puzzle.ts';
import { random } from './random.ts';
import shuffleSolution from './wgsl/pixel_shuffle.solution.wgsl';
import shuffleStart from './wgsl/pixel_shuffle.start.wgsl';
import preluSolution from './wgsl/prelu_gradient.solution.wgsl';
import preluStart from './wgsl/prelu_gradient.start.wgsl';
import separableSolution from './wgsl/separable.solution.wgsl';
import separableStart from './wgsl/separable.start.wgsl';
import temporalSolution from './wgsl/temporal.solution.wgsl';
import temporalStart from './wgsl/temporal.start.wgsl';
import warpSolution from './wgsl/warp.solution.wgsl';
import warpStart from './wgsl/warp.start.wgsl';

const WORKGROUP = 64;
const TILE = 16;

/** The same values under another shape: the references count batches and axes that the puzzles leave out. */
const as = ({ data }: NDArray, ...shape: number[]): NDArray => ({ shape, data });

const preluGradient: Puzzle = {
  id: 'prelu',
  title: 'The gradient of PReLU',
  task:
    'PReLU lets values above zero pass and multiplies the others with a slope, learned for each channel. Going back, every ' +
    'value of dx has one multiplication, and every slope a sum over all positions: a map and a reduction in one kernel.',
  start: preluStart,
  solution: preluSolution,
  hints: [
    'Let invocation t take the positions t, t + 64, t + 128 and so on below P: it writes dx there, and adds dy · min(x, 0) to a sum of its own.',
    'The 64 sums meet in workgroup memory: var<workgroup> sums: array<f32, 64>; outside of main. Each invocation writes its own, then workgroupBarrier().',
    'Now halve: for half = 32, 16, … 1, the first `half` invocations add sums[t + half] to sums[t], with a barrier before each round. Barriers stand outside of the if.',
  ],
  story:
    'Ours does a fourth of the loads: four channels lie side by side as a vec4f, so that an invocation owns four channels ' +
    'of a position. One workgroup a channel would leave a GPU idle with 64 channels, so slope_gradient sums every ' +
    'chunks-th position and a second kernel adds the parts, in an order that never changes: a seed gives the same bits twice.',
  file: 'shaders/prelu.wgsl',
  url: preluUrl,
  tests: [
    { C: 3, P: 1 },
    { C: 5, P: 131 },
    { C: 2, P: 64 },
    { C: 1, P: 1013 },
  ],
  inputs: ({ C, P }) => ({
    x: random(1, [C, P], (u) => (u < 0.05 ? 0 : 2 * u - 1)),
    slope: random(2, [C]),
    dy: random(3, [C, P]),
  }),
  expected: ({ x, slope, dy }, { C, P }) => {
    const inputs = { input: as(x, 1, C, P), weight: slope };
    const gradients = prelu.backward(as(dy, 1, C, P), inputs, {});
    return { dx: as(gradients.input, C, P), dslope: gradients.weight };
  },
  grid: ({ C }) => [C],
};

const shuffle: Puzzle = {
  id: 'shuffle',
  title: 'Pixel shuffle',
  task:
    'The last step of most super-resolution networks computes nothing: it lays channels out as pixels. All of the work is in ' +
    'knowing which value goes where.',
  start: shuffleStart,
  solution: shuffleSolution,
  hints: [
    'Begin at the result: id.x is the position of one value in wide. Leave at once where id.x is beyond the last of them.',
    'Take id.x apart: the column is id.x % (W · R), the row is id.x / (W · R) % (H · R), the channel is what is left.',
    'Within its square of R x R the pixel is (row % R, column % R); that chooses the channel of deep. The place in deep is (row / R, column / R).',
  ],
  story:
    'Ours moves vectors of four channels. With R even, four channels of four pixels are a 4 x 4 square on both sides, which an ' +
    'invocation loads in four pieces, transposes and stores in four pieces. Better still is not to run it at all: the ' +
    'convolutions write their results to the shuffled places right away (const R in shaders/conv.*.wgsl).',
  file: 'shaders/pixel_shuffle.wgsl',
  url: shuffleUrl,
  tests: [
    { C: 1, R: 1, H: 1, W: 1 },
    { C: 2, R: 3, H: 5, W: 7 },
    { C: 3, R: 2, H: 9, W: 3 },
    { C: 1, R: 4, H: 1, W: 11 },
  ],
  inputs: ({ C, R, H, W }) => ({ deep: random(4, [C * R * R, H, W]) }),
  expected: ({ deep }, { C, R, H, W }) => ({
    wide: as(pixelShuffle.forward({ input: as(deep, 1, C * R * R, H, W) }, { factor: R }), C, H * R, W * R),
  }),
  grid: ({ C, R, H, W }) => [Math.ceil((C * H * R * W * R) / WORKGROUP)],
};

/** Small, whole, and far beyond the picture. */
const motion = (u: number): number => (u < 0.1 ? Math.round(40 * u) - 2 : u > 0.97 ? 50 : 8 * u - 4);

const bilinear: Puzzle = {
  id: 'warp',
  title: 'Bilinear warp',
  task:
    'Motion compensation asks for the picture between its pixels. Four pixels around the place count, each the more the closer ' +
    'it is. Flow may point anywhere, also out of the picture.',
  start: warpStart,
  solution: warpSolution,
  hints: [
    'A helper pays: fn pixel(c: u32, row: i32, column: i32) -> f32, which returns 0.0 outside and needs signed numbers to notice.',
    'floor() of the place gives the upper left pixel; what is left, between 0 and 1, says how far the place lies beyond it. i32(-0.5) is 0, not -1: floor first.',
    'mix(a, b, t) is a · (1 - t) + b · t: mix the two pixels of the upper row, those of the lower row, then both results.',
  ],
  story:
    'Ours never adds position and flow as floats: at column 3000 a float keeps only 12 bits of the fraction, so the whole and ' +
    'the fractional part of the flow go separate ways. The same file holds the gradients. That of the picture scatters: many ' +
    'places may have read one pixel, and it adds whole numbers, whose sum does not depend on the order.',
  file: 'shaders/bilinear.wgsl',
  url: bilinearUrl,
  tests: [
    { C: 1, H: 1, W: 1 },
    { C: 3, H: 9, W: 11 },
    { C: 2, H: 13, W: 5 },
  ],
  inputs: ({ C, H, W }) => ({ image: random(5, [C, H, W]), flow: random(6, [2, H, W], motion) }),
  expected: ({ image, flow }, { C, H, W }) => ({
    y: as(warp.forward({ image: as(image, 1, C, H, W), flow: as(flow, 1, 2, H, W) }, {}), C, H, W),
  }),
  grid: ({ C, H, W }) => [Math.ceil((C * H * W) / WORKGROUP)],
};

const temporal: Puzzle = {
  id: 'temporal',
  title: 'A tiled 3x1x1 convolution',
  task:
    'The temporal half of a separable block. Every output channel wants the same inputs: three frames of one pixel, all ' +
    'channels. Loaded once each by a workgroup and kept in its own memory, they serve all output channels.',
  start: temporalStart,
  solution: temporalSolution,
  rules: [
    [
      /var\s*<\s*workgroup\s*>/,
      'The task asks for a tile: declare var<workgroup> tile: array<f32, …>; outside of main.',
    ],
    [/workgroupBarrier\s*\(/, 'Without workgroupBarrier() nobody knows when the tile is filled.'],
  ],
  hints: [
    'Sort the 64 invocations twice. For loading: number i of the tile is frame i / (BLOCK · TILE), channel i / TILE % BLOCK, position i % TILE, and each invocation takes every 64th. For computing: position t % TILE, output channels t / TILE, t / TILE + 4, and so on.',
    'Any number of input channels: hold BLOCK of them at a time, in a loop. A barrier before filling (the last tile has been read), and one after.',
    'What lies beyond the first or last frame, beyond CI or beyond P goes into the tile as 0.0; then the sums need no conditions. Never leave main early: all 64 invocations must meet at every barrier.',
  ],
  story:
    'Ours has one kernel for all windows: conv.rows holds a stretch of a row, conv.tiled 8 x 8 results an invocation in ' +
    'registers, so that each value read from workgroup memory is used eight times, not once. There weights go through ' +
    'workgroup memory too, and 3x1x1 is only another list of taps. A third of the taps also means a third of the uses for ' +
    'each load, which is why the temporal half never reaches the rate of the spatial one.',
  file: 'shaders/conv.rows.wgsl',
  url: rowsUrl,
  tests: [
    { CI: 1, CO: 1, D: 1, P: 1 },
    { CI: 5, CO: 7, D: 3, P: 35 },
    { CI: 19, CO: 3, D: 4, P: 16 },
    { CI: 8, CO: 13, D: 2, P: 81 },
  ],
  inputs: ({ CI, CO, D, P }) => ({ x: random(7, [CI, D, P]), weight: random(8, [CO, CI, 3]) }),
  expected: ({ x, weight }, { CI, CO, D, P }) => {
    const inputs = { input: as(x, 1, CI, D, 1, P), weight: as(weight, CO, CI, 3, 1, 1) };
    return { y: as(conv.forward(inputs, { padding: [1, 0, 0] }), CO, D, P) };
  },
  grid: ({ P, D }) => [Math.ceil(P / TILE), D],
};

const separable: Puzzle = {
  id: 'separable',
  title: 'A fused separable block',
  task:
    'PReLU, 1x3x3, 3x1x1, as one kernel. What lies between the two convolutions is as large as a whole activation: written ' +
    'and read again it costs more than the arithmetic it saves. So it has to stay in registers.',
  start: separableStart,
  solution: separableSolution,
  hints: [
    'Write fn middle(d: u32, row: i32, column: i32) -> array<f32, CO>: the spatial convolution of one frame at one pixel, all channels at once, PReLU at the load. Zero padding is zero before and after PReLU.',
    'The temporal convolution at frame d needs the middle of d - 1, d and d + 1, at the same pixel only. Keep three arrays: before, now, next.',
    'Walk t from 0 to D, one step too far: before = now, now = next, next = middle(t), or zeros at t = D. From t = 1 on, frame t - 1 can be written. What was never computed is zero, which is what the padding of the middle wants.',
  ],
  story:
    'Ours does the same walk, with lanes along output channels: eight lanes share one pixel, a shuffle hands each value to all ' +
    'of them, and no input is loaded twice. It keeps the frames of 24 pixels in registers, which limits it to 32 ' +
    'channels; above, two kernels one after the other are faster. An array indexed with t % 3 would be shorter and slower: ' +
    'registers have no addresses, so the frames are turned instead.',
  file: 'shaders/separable.subgroup.wgsl',
  url: separableUrl,
  tests: [
    { CI: 1, CO: 1, D: 1, H: 1, W: 1 },
    { CI: 3, CO: 5, D: 3, H: 7, W: 9 },
    { CI: 5, CO: 2, D: 2, H: 9, W: 3 },
    { CI: 2, CO: 4, D: 5, H: 5, W: 13 },
  ],
  inputs: ({ CI, CO, D, H, W }) => ({
    x: random(9, [CI, D, H, W]),
    slope: random(10, [CI]),
    ws: random(11, [CO, CI, 3, 3]),
    wt: random(12, [CO, CO, 3]),
  }),
  expected: ({ x, slope, ws, wt }, { CI, CO, D, H, W }) => {
    const weights = { weight_s: as(ws, CO, CI, 1, 3, 3), weight_t: as(wt, CO, CO, 3, 1, 1) };
    return { y: as(separableConv3d.forward({ input: as(x, 1, CI, D, H, W), slope, ...weights }, {}), CO, D, H, W) };
  },
  grid: ({ H, W }) => [Math.ceil((H * W) / WORKGROUP)],
};

export const puzzles: readonly Puzzle[] = [preluGradient, shuffle, bilinear, temporal, separable];
