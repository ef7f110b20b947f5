import axisMapWgsl from '../../shaders/axis_map.wgsl';
import { type AxisMap, transposeMap } from '../axis-map.ts';
import { type Engine, MOST_GROUPS, WORKGROUP } from '../engine.ts';
import { ShapeError, shapeText } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { padded, type Shape, size, type Tensor } from '../tensor.ts';

const kernel = new Kernel('axis_map', axisMapWgsl);
/** Rows that one thread takes the same map row for, where there are many. */
const TOGETHER = 4;

/** An axis from the front, where -1 is the last one. @throws {ShapeError} when the shape has no such axis */
export function axisOf(name: string, axis: number, shape: Shape): number {
  if (!Number.isInteger(axis) || axis < -shape.length || axis >= shape.length) {
    throw new ShapeError(`${name} axis: expected -${shape.length} to ${shape.length - 1}, got ${axis}`);
  }
  return axis < 0 ? axis + shape.length : axis;
}

/**
 * Where an axis lies in memory. Batch and spatial axes: element j of it stands at (o, j, i) of (outer, size, inner), inner
 * counted in vec4. Channels lie inside the vec4, `outer` positions one after the other.
 */
export interface Lie {
  readonly channels: boolean;
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

export function lieOf(shape: Shape, axis: number): Lie {
  const channelAxis = Math.min(shape.length - 1, 1);
  if (axis === channelAxis) {
    return { channels: true, outer: size(shape) / shape[axis], size: shape[axis], inner: 1 };
  }
  const c4 = padded(shape[channelAxis]) / 4;
  if (axis === 0) return { channels: false, outer: 1, size: shape[0], inner: size(shape.slice(2)) * c4 };
  const outer = shape[0] * size(shape.slice(2, axis));
  return { channels: false, outer, size: shape[axis], inner: size(shape.slice(axis + 1)) * c4 };
}

/** The shape with another size along one axis. */
export const resized = (shape: Shape, axis: number, n: number): number[] => shape.map((m, a) => (a === axis ? n : m));

/** A map along one axis; maps of equal `key` are equal, so that the device keeps one of them. */
export interface Step {
  readonly axis: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly key: string;
  readonly build: () => AxisMap;
}

/** One map after the other, each along its axis. Without any, the same values as a tensor of their own. */
export function applySteps(engine: Engine, x: Tensor, steps: readonly Step[]): Tensor {
  if (steps.length === 0) return engine.view(x, x.shape);
  return steps.reduce((y, step) => apply(engine, y, step), x);
}

/** The gradient of applySteps: the transposed maps in reverse. */
export function applyTransposed(engine: Engine, dy: Tensor, steps: readonly Step[]): Tensor {
  const back = steps.map((s): Step => {
    const build = () => transposeMap(s.build());
    return { axis: s.axis, inputs: s.outputs, outputs: s.inputs, key: `${s.key} transposed`, build };
  });
  return applySteps(engine, dy, back.reverse());
}

function apply(engine: Engine, x: Tensor, { axis, outputs, key, build }: Step): Tensor {
  const out = engine.empty(resized(x.shape, axis, outputs));
  const { channels, outer, size: inputs, inner } = lieOf(x.shape, axis);
  const map = engine.map(key, build);
  const run = {
    uniforms: { outer, inputs, outputs, inner },
    flops: (map.weight.bytes / 4) * outer * inner * (channels ? 2 : 8),
    label: `axis_map ${key.split(' ', 1)[0]}`,
  };
  if (channels) {
    const bind = { x_channels: x, ...map, out };
    engine.run(kernel, 'along_channels', { ...run, bind, threads: out.bytes / 16 });
  } else {
    const across = Math.ceil((outputs * inner) / WORKGROUP);
    const ROWS = outer >= 4 * TOGETHER ? TOGETHER : 1;
    const grid = [Math.min(across, MOST_GROUPS), Math.min(Math.ceil(outer / ROWS), MOST_GROUPS)] as const;
    engine.run(kernel, 'along_quads', { ...run, bind: { x, ...map, out }, constants: { ROWS }, grid });
  }
  return out;
}

/** One factor for each of the last axes. @throws {ShapeError} when they are not that many, or not above zero */
export function factors(what: string, value: number | readonly number[] | undefined, axes: number): readonly number[] {
  const list = typeof value === 'number' ? Array<number>(axes).fill(value) : value;
  if (!Array.isArray(list) || list.length !== axes || !list.every((f) => f > 0 && Number.isFinite(f))) {
    throw new ShapeError(
      `${what}: expected one number above zero, or ${axes} of them, got ${JSON.stringify(value) ?? 'none'}`,
    );
  }
  return list;
}

/** @throws {ShapeError} when some size of a result is no longer at least 1 */
export function expectSome(what: string, input: Shape, out: Shape): void {
  if (out.some((n) => n < 1)) throw new ShapeError(`${what}: ${shapeText(input)} would become ${shapeText(out)}`);
}
