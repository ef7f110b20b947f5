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
  #checked = 0;
  #unchecked = new Set<string>();
  #worst = { name: '', error: 0 };

  add(name: string, inputs: Record<string, Tensor | undefined>, attrs: object, y: Tensor): void {
    if (!references[name]) {
      this.#unchecked.add(name);
      return;
    }
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
      for (const call of pending) {
        const error = await compare(call);
        this.#checked++;
        if (error >= this.#worst.error) this.#worst = { name: call.name, error };
      }
    } finally {
      for (const { inputs, y } of pending) for (const x of [...Object.values(inputs), y]) x?.release();
    }
  }

  /** In a line: how many ops were checked, the largest error among them, and what has no reference. */
  summary(): string {
    const { name, error } = this.#worst;
    const worst =
      this.#checked > 0 ? `; the largest error is ${error.toExponential(1)} of the largest value, in ${name}` : '';
    const without = this.#unchecked.size > 0 ? `; without a reference: ${[...this.#unchecked].join(', ')}` : '';
    return `VALIDATE: ${this.#checked} forward result${this.#checked === 1 ? '' : 's'} held against float64 references${worst}${without}`;
  }
}

/** The largest error, in units of the reference's largest value. @throws {KernelError} when it is above 1e-3 */
async function compare({ name, inputs, attrs, y }: Pending): Promise<number> {
  const arrays: Record<string, { shape: readonly number[]; data: Float64Array }> = {};
  for (const [key, x] of Object.entries(inputs)) {
    if (x) arrays[key] = { shape: x.shape, data: Float64Array.from(await x.read()) };
  }
  const got = await y.read();
  const want = references[name].forward(arrays, attrs).data;
  const scale = want.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
  const at = want.findIndex((v, i) => !(Math.abs(v - got[i]) <= 1e-3 * scale));
  if (at < 0) return want.reduce((m, v, i) => Math.max(m, Math.abs(v - got[i])), 0) / scale;
  throw new KernelError(`${name} ${shapeText(y.shape)}: element ${at} is ${got[at]}, the reference says ${want[at]}`);
}
