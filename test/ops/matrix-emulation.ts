/** Zero, as no compiler can know, so none unrolls the loops: a processor's driver would take minutes. */
const ZERO = 'u32(min(g.src.w, 0))';

export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/**
 * An adapter that claims tensor cores for (16 x 16)·(16 x n) and subgroups of 32. Its device has the feature if the adapter does.
 * @param workgroupBytes claimed too, where given
 */
export function withTensorCores(adapter: GPUAdapter, n: number, workgroupBytes?: number): GPUAdapter {
  const claiming = (own: object, claims: object) =>
    new Proxy(own, { get: (_, key) => Reflect.get(claims, key) ?? Reflect.get(own, key) });
  const config = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: n, K: 16 };
  const narrow = { ...config, resultComponentType: 'f16' }; // which no kernel here should take
  return {
    features: new Set([...adapter.features, MATRIX_FEATURE]),
    info: claiming(adapter.info, { subgroupMinSize: 32, subgroupMaxSize: 32, subgroupMatrixConfigs: [narrow, config] }),
    limits: claiming(adapter.limits, workgroupBytes ? { maxComputeWorkgroupStorageSize: workgroupBytes } : {}),
    requestDevice: ({ requiredFeatures = [], requiredLimits = {} }: GPUDeviceDescriptor) =>
      adapter.requestDevice({
        requiredFeatures: Array.from(requiredFeatures).filter((feature) => adapter.features.has(feature)),
        requiredLimits: {
          ...requiredLimits,
          maxComputeWorkgroupStorageSize: adapter.limits.maxComputeWorkgroupStorageSize,
        },
      }),
  } as unknown as GPUAdapter;
}

/**
 * The text of a matrix kernel with subgroup matrices replaced by what every adapter has, so that its tiles, bounds and sums run
 * where there are no tensor cores. A left or right matrix remembers where it was loaded from, and the product reads there; a
 * result is spread over 32 invocations that follow one another. A load or store that Vulkan would not take (offsets and
 * pitches that are no multiples of 16 bytes) gives NaN.
 */
export function emulateMatrices(wgsl: string): string {
  const arrayOf = (type: string): string =>
    new RegExp(`subgroupMatrixLoad<${type}, \\w+>\\(&(\\w+)`).exec(wgsl)?.[1] ?? 'none';
  const emulated = wgsl
    .replace(/^(diagnostic|enable subgroups|enable chromium).*\n/gm, '')
    .replace(/^alias Left = .*;/m, 'struct Left { by_columns: bool, at: u32, pitch: u32 }')
    .replace(/^alias Right = .*;/m, 'struct Right { by_columns: bool, at: u32, pitch: u32 }')
    .replace(/^alias Result = .*;/m, 'struct Result { values: array<f32, N / 2u> }')
    .replace(/subgroupMatrixLoad<(\w+), (\w+)_major>\(&\w+, /g, (_, type, major) => `${type}(${major === 'col'}, `)
    .replace(/subgroupMatrixStore<row_major>\(&results, /, 'store_matrix(')
    .replaceAll('subgroupMatrixMultiplyAccumulate(', 'multiply_matrices(')
    .replace(/, @builtin\(subgroup_id\) subgroup: u32\) \{/, ') {\n  let subgroup = t / 32u;\n  lane = t % 32u;')
    .replace(/(\w < (?:SM|SN|SM \* SN|PER_THREAD|BK)); /g, `$1 + ${ZERO}; `);
  if (/subgroup_?matrix/i.test(emulated)) throw new Error('a use of subgroup matrices is not emulated');
  return `${emulated}
var<private> lane: u32;
fn entry(by_columns: bool, at: u32, pitch: u32, row: u32, column: u32) -> u32 {
  return at + select(row * pitch + column, column * pitch + row, by_columns);
}
fn multiply_matrices(left: Left, right: Right, sum: Result) -> Result {
  var y = sum;
  if ((left.at | left.pitch | right.at | right.pitch) % 8u != 0u) { y.values[0] = bitcast<f32>(0x7fc00000u + lane); }
  for (var i = 0u; i < N / 2u + ${ZERO}; i++) {
    let e = lane * (N / 2u) + i;
    for (var k = 0u; k < 16u + ${ZERO}; k++) {
      let a = f32(${arrayOf('Left')}[entry(left.by_columns, left.at, left.pitch, e / N, k)]);
      let b = f32(${arrayOf('Right')}[entry(right.by_columns, right.at, right.pitch, k, e % N)]);
      y.values[i] += a * b;
    }
  }
  return y;
}
fn store_matrix(at: u32, m: Result, pitch: u32) {
  for (var i = 0u; i < N / 2u + ${ZERO}; i++) {
    let e = lane * (N / 2u) + i;
    let value = select(bitcast<f32>(0x7fc00000u + lane), m.values[i], (at | pitch) % 4u == 0u);
    results[at + e / N * pitch + e % N] = value;
  }
}
`;
}
