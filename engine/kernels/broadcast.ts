import wgsl from '../../shaders/broadcast.wgsl';
import type { Engine } from '../engine.ts';
import { ShapeError, shapeText } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { type Shape, size, type Tensor } from '../tensor.ts';
import { sumAxes } from './reduce.ts';
import { reshaped } from './reshape.ts';

const kernel = new Kernel('broadcast', wgsl);
/** In the order of the shader's consts. */
const KINDS = ['add', 'sub', 'mul', 'div'] as const;
export type Kind = (typeof KINDS)[number];

/** A shape seen at a higher rank: (C) stands on the channel axis, others align on the right, as in PyTorch. */
export function aligned(shape: Shape, rank: number): Shape {
  const first = shape.length === 1 && shape[0] > 1 && rank > 1 ? 1 : rank - shape.length;
  return Array.from({ length: rank }, (_, axis) => shape[axis - first] ?? 1);
}

/** The shape of both together. @throws {ShapeError} when an axis differs and neither has size 1 there */
export function broadcastShape(name: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const [p, q] = [aligned(a, rank), aligned(b, rank)];
  if (rank > 5 || p.some((n, axis) => n !== q[axis] && n !== 1 && q[axis] !== 1)) {
    throw new ShapeError(`${name}: ${shapeText(a)} and ${shapeText(b)} do not broadcast to one shape of up to 5 axes`);
  }
  return p.map((n, axis) => Math.max(n, q[axis]));
}

/** One axis of the result in memory order, lengths and steps in vec4; a step of 0 repeats the operand. */
interface Axis {
  readonly length: number;
  readonly a: number;
  readonly b: number;
}

const inMemoryOrder = (shape: Shape): number[] =>
  shape.length < 2 ? [shape[0] ?? 1] : [shape[0], ...shape.slice(2), shape[1]];

/** How far one step along each axis (in memory order, innermost first) goes in an operand. */
function steps(operand: Shape, out: Shape): number[] {
  const sizes = inMemoryOrder(operand).reverse();
  const wanted = inMemoryOrder(out).reverse();
  let step = 1;
  return sizes.map((n, k) => {
    const result = n === 1 && wanted[k] > 1 ? 0 : step;
    step *= k === 0 ? Math.ceil(n / 4) : n;
    return result;
  });
}

/** Neighbours that step as one in both operands become one axis. */
function merge(axes: readonly Axis[]): Axis[] {
  const merged: Axis[] = [];
  for (const axis of axes) {
    const last = merged.at(-1);
    if (axis.length === 1) continue;
    if (last && axis.a === last.a * last.length && axis.b === last.b * last.length) {
      merged[merged.length - 1] = { ...last, length: last.length * axis.length };
    } else merged.push(axis);
  }
  return merged;
}

/** Where the elements of the result lie in both operands, in as few axes as that takes. Operands have the rank of out. */
function plan(out: Shape, a: Shape, b: Shape, zeroKept: boolean) {
  const sizes = inMemoryOrder(out).reverse();
  const [channels] = sizes;
  const quads = Math.ceil(channels / 4);
  const [stepsA, stepsB] = [steps(a, out), steps(b, out)];
  const splat = (x: Shape) => channels > 1 && (inMemoryOrder(x).at(-1) as number) === 1;
  const masked = channels % 4 !== 0 && (!zeroKept || splat(a) || splat(b));
  const all: Axis[] = sizes.map((n, k) => ({ length: k === 0 ? quads : n, a: stepsA[k], b: stepsB[k] }));
  const merged = merge(all);
  const alone = merged.length > 1 && merged[0].length === quads; // then a constant divides faster than a uniform
  const apart = masked || alone || merged.length > 4;
  const axes = apart ? merge(all.slice(1)) : merged;
  const channel = apart ? all[0] : { length: 1, a: 0, b: 0 };
  const pick = (key: keyof Axis) => axes.map((axis) => axis[key]);
  return {
    constants: {
      AXES: Math.max(axes.length, 1),
      C4: channel.length,
      LANES: masked ? channels % 4 : 4,
      A_STEP: channel.a,
      B_STEP: channel.b,
      A_SPLAT: splat(a),
      B_SPLAT: splat(b),
    },
    uniforms: { lengths: pick('length'), a_steps: pick('a'), b_steps: pick('b') },
  };
}

/** f(a, b) elementwise, with broadcasting. @param shape of the result @param alpha what a sum takes b times */
export function combine(
  engine: Engine,
  kind: Kind,
  a: Tensor,
  b: Tensor,
  shape: Shape,
  label: string = kind,
  alpha = 1,
): Tensor {
  const [p, q] = [a, b].map((x) => reshaped(x, aligned(x.shape, shape.length)));
  const { constants, uniforms } = plan(shape, p.shape, q.shape, kind !== 'div');
  const out = engine.empty(shape);
  engine.run(kernel, 'combine', {
    bind: { a: p, b: q, out },
    constants: { KIND: KINDS.indexOf(kind), ...constants },
    uniforms: { ...uniforms, scale: alpha },
    threads: out.bytes / 16,
    flops: size(shape),
    label,
  });
  return out;
}

/** -dy·y / b: what y = a / b sends back to b, before the sum over what b repeats. */
export function divisorGradient(engine: Engine, dy: Tensor, y: Tensor, b: Tensor): Tensor {
  const q = reshaped(b, aligned(b.shape, dy.shape.length));
  const { constants, uniforms } = plan(dy.shape, dy.shape, q.shape, false);
  const out = engine.empty(dy.shape);
  engine.run(kernel, 'divisor_gradient', {
    bind: { a: dy, y, b: q, out },
    constants,
    uniforms: { ...uniforms, scale: 1 },
    threads: out.bytes / 16,
    flops: 3 * size(dy.shape),
    label: 'div.db',
  });
  return out;
}

/** scale · x, repeated along the axes where x has size 1. */
export function expand(engine: Engine, x: Tensor, shape: Shape, scale = 1): Tensor {
  const { constants, uniforms } = plan(shape, x.shape, x.shape, true);
  const out = engine.empty(shape);
  engine.run(kernel, 'expand', {
    bind: { a: x, out },
    constants,
    uniforms: { ...uniforms, scale },
    threads: out.bytes / 16,
    flops: size(shape),
  });
  return out;
}

/** scale · Σ of g over everything that an operand of this shape repeats: the gradient of broadcasting. */
export function sumTo(engine: Engine, g: Tensor, shape: Shape, scale = 1): Tensor {
  const kept = aligned(shape, g.shape.length);
  const gone = kept.map((n, axis) => n < g.shape[axis]);
  if (gone.includes(true)) return reshaped(sumAxes(engine, g, gone, scale), shape);
  return reshaped(scale === 1 ? g : expand(engine, g, g.shape, scale), shape);
}
