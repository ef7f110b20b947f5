import { KernelError, shapeText } from './errors.ts';
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
    for (const x of [...Object.values(inputs), y]) x?.retain();
    this.#pending.push({ name, inputs: { ...inputs }, attrs, y });
  }

  /** @throws {KernelError} at the first op whose result is off by more than 1e-3 of its largest value */
  async check(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    for (const { name, inputs, attrs, y } of pending) {
      const arrays: Record<string, { shape: readonly number[]; data: Float64Array }> = {};
      for (const [key, x] of Object.entries(inputs)) {
        if (x) arrays[key] = { shape: x.shape, data: Float64Array.from(await x.read()) };
      }
      const got = await y.read();
      const want = references[name].forward(arrays, attrs).data;
      const scale = want.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
      const at = want.findIndex((v, i) => !(Math.abs(v - got[i]) <= 1e-3 * scale));
      for (const x of [...Object.values(inputs), y]) x?.release();
      if (at >= 0) {
        throw new KernelError(
          `${name} ${shapeText(y.shape)}: element ${at} is ${got[at]}, the reference says ${want[at]}`,
        );
      }
    }
  }
}
