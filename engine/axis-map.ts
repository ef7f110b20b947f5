/**
 * A sparse linear map along one axis, rows in CSR form: y[j] = Σ_{k = start[j]}^{start[j+1] - 1} weight[k] · x[index[k]].
 * Resizing, interpolation, padding and slicing are all such maps; their gradient is the transposed map.
 */
export interface AxisMap {
  readonly inputs: number;
  readonly outputs: number;
  readonly start: Uint32Array; // outputs + 1
  readonly index: Uint32Array;
  readonly weight: Float64Array;
}
