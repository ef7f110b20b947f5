import { KernelError, shapeText } from './errors.ts';
import { copy } from './kernels/accumulate.ts';
import { references } from './reference/index.ts';
import type { Tensor } from './tensor.ts';

interface Pending {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Tensor | undefined>>;
  readonly attrs: object;
  readonly y: Tensor;
}

/** VALIDATE=1: keeps what every op read and wrote, and holds it against the float64 reference at the next wait. */
export class Validator {
  #pending: Pending[] = [];

  add(name: string, inputs: Record<string, Tensor | undefined>, attrs: object, y: Tensor): void {
    if (!references[name]) return;
    using _scope = y.engine.scope();
    // What no op computed (parameters, data) may be written again before the check.
    const keep = (x: Tensor | undefined) => (x?.isLeaf ? copy(x) : x)?.retain();
    const kept = Object.fromEntries(Object.entries(inputs).map(([key, x]) => [key, keep(x)]));
    this.#pending.push({ name, inputs: kept, attrs, y: y.retain() });
  }

  /** @throws {KernelError} at the first op whose result is off by more than 1e-3 of its largest value */
  async check(): Promise<void> {
    const pending = this.#pending;
    this.#pending = []; // the reads below come here too
    try {
      for (const call of pending) await compare(call);
    } finally {
      for (const { inputs, y } of pending) for (const x of [...Object.values(inputs), y]) x?.release();
    }
  }
}

/** @throws {KernelError} */
async function compare({ name, inputs, attrs, y }: Pending): Promise<void> {
  const arrays: Record<string, { shape: readonly number[]; data: Float64Array }> = {};
  for (const [key, x] of Object.entries(inputs)) {
    if (x) arrays[key] = { shape: x.shape, data: Float64Array.from(await x.read()) };
  }
  const got = await y.read();
  const want = references[name].forward(arrays, attrs).data;
  const scale = want.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
  const at = want.findIndex((v, i) => !(Math.abs(v - got[i]) <= 1e-3 * scale));
  if (at < 0) return;
  throw new KernelError(`${name} ${shapeText(y.shape)}: element ${at} is ${got[at]}, the reference says ${want[at]}`);
}
