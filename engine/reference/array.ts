/** A dense row-major array in float64, shaped and ordered as in PyTorch: what references read and write. */
export interface NDArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** The plain definition of an op: nested loops in float64, and its gradient. They teach, they judge the kernels. */
// biome-ignore lint/suspicious/noExplicitAny: attributes differ from op to op; each reference names its own
export interface Reference<A = any> {
  forward(inputs: Record<string, NDArray>, attrs: A): NDArray;
  /** Gradients of Σ dy·y with respect to every input, by input name. */
  backward(dy: NDArray, inputs: Record<string, NDArray>, attrs: A): Record<string, NDArray>;
}

export const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const zeros = (shape: readonly number[]): NDArray => ({
  shape: [...shape],
  data: new Float64Array(size(shape)),
});
