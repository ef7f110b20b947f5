// Weight gradient of a convolution, one group, as a matrix product on tensor cores (see conv_dw.direct.wgsl for the formula, and
// conv.matrix.wgsl for the scales, SPLIT and FLUSH). A workgroup computes, for one tap and one chunk of rows, 16·SM·WM channels
// of x against N·SN·WN of dense. It walks the positions in steps of BK, whose values lie in workgroup memory as they lie in the
// tensors, channels last: the matrices of x are loaded by columns. WK subgroups share a tile and each takes every WK-th 16
// positions; their sums are added in their order.
diagnostic(off, chromium.subgroup_matrix_uniformity);   // offsets depend on subgroup_id, the same in a subgroup
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
const XC4 = 16u;          // channels of x / 4
const A4 = 16u;           // channels of dense / 4
const SPLIT = true;       // two f16 values to an operand; without, inputs are rounded to f16 once
const N = 16u;            // columns of a matrix, 16 or 8; it has 16 rows and a depth of 16
const SM = 1u;            // matrices of a subgroup along channels of x
const SN = 2u;            // and along channels of dense
const WM = 2u;            // subgroups along channels of x
const WN = 1u;            // and along channels of dense
const WK = 2u;            // and along positions
const BK = 32u;           // positions at a time, a multiple of 16·WK
const FLUSH = 4u;         // products of depth 16
const PARTS = 256u;       // of the largest magnitudes, to an operand
const CHUNKS = 1u;
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
struct Geometry {
  src: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  kernel: vec4i,
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> dense: array<vec4f>;
@group(0) @binding(3) var<storage, read> slope: array<vec4f>;
@group(0) @binding(4) var<storage, read> magnitudes: array<u32>;   // see largest.wgsl
@group(0) @binding(5) var<storage, read_write> part: array<vec4f>;

alias Left = subgroup_matrix_left<f16, 16, 16>;      // columns, rows: positions x channels of x
alias Right = subgroup_matrix_right<f16, N, 16>;     // channels of dense x positions
alias Result = subgroup_matrix_result<f32, N, 16>;   // channels of dense x channels of x
const TILES = WM * WN;
const THREADS = 32u * TILES * WK;
const BM = 16u * SM * WM;                 // channels of x
const BN = N * SN * WN;                   // channels of dense
const BM4 = BM / 4u;
const BN4 = BN / 4u;
const A_BLOCKS = (A4 + BN4 - 1u) / BN4;
const X_PITCH = BM + 8u;                  // of the channels of a position; matrix loads want multiples of 16 bytes
const D_PITCH = BN + 8u;
const HALVES = select(1u, 2u, SPLIT);
const LOW_X = BK * X_PITCH;               // where the low values begin
const LOW_D = BK * D_PITCH;
const QUADS = N / 4u;                     // vec4 in a row of a matrix
const FINISHED = TILES * 16u * QUADS;     // vec4 of one matrix of every tile
const PER_THREAD = (FINISHED + THREADS - 1u) / THREADS;
const S_PITCH = N + 4u;
const PATCH = 16u * S_PITCH;              // one matrix of results
var<workgroup> xs: array<f16, HALVES * BK * X_PITCH>;
var<workgroup> ds: array<f16, HALVES * BK * D_PITCH>;
var<workgroup> rows: array<i32, BK>;      // where the tap's input of each position lies, or -1
var<workgroup> results: array<f32, TILES * WK * PATCH>;
var<workgroup> most: array<atomic<u32>, 4>;          // magnitudes of x and dense; two more keep what follows on 16 bytes

fn load(i: u32, c4: u32) -> vec4f {
  let v = x[i];
  if (SLOPES == 0u) { return v; }
  return v * select(select(vec4f(slope[0].x), slope[c4], SLOPES == 1u), vec4f(1.0), v > vec4f());
}

fn power(exponent: i32) -> f32 { return bitcast<f32>(u32(exponent + 127) << 23u); }

fn exponent(bits: u32) -> i32 { return max(i32(bits >> 23u) - 127, -100); }

// The f16 nearest to v, still as f32. By its bits, since a compiler may take f32(f16(v)) for v; and 0 below the normal numbers
// of f16, which leaves all of v to `low`.
fn nearest(v: vec4f) -> vec4f {
  let bits = bitcast<vec4u>(v);
  let rounded = bitcast<vec4f>((bits + 0xfffu + ((bits >> vec4u(13u)) & vec4u(1u))) & vec4u(0xffffe000u));
  return select(vec4f(), rounded, abs(v) >= vec4f(0x1p-14));
}

fn put_x(at: u32, v: vec4f) {
  let near = nearest(v);
  let high = vec4<f16>(select(v, near, SPLIT));
  for (var l = 0u; l < 4u; l++) { xs[at + l] = high[l]; }
  if (SPLIT) {
    let low = vec4<f16>((v - near) * 2048.0);
    for (var l = 0u; l < 4u; l++) { xs[LOW_X + at + l] = low[l]; }
  }
}

fn put_dense(at: u32, v: vec4f) {
  let near = nearest(v);
  let high = vec4<f16>(select(v, near, SPLIT));
  for (var l = 0u; l < 4u; l++) { ds[at + l] = high[l]; }
  if (SPLIT) {
    let low = vec4<f16>((v - near) * 2048.0);
    for (var l = 0u; l < 4u; l++) { ds[LOW_D + at + l] = low[l]; }
  }
}

// Every subgroup leaves one matrix in workgroup memory, for `result` to read.
fn lay_out(m: Result, subgroup: u32) {
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&results, subgroup * PATCH, m, S_PITCH);
  workgroupBarrier();
}

fn result(e: u32) -> vec4f {              // the e-th vec4 of all tiles, over the subgroups that share one
  var sum = vec4f();
  if (e >= FINISHED) { return sum; }
  for (var k = 0u; k < WK; k++) {
    let tile = e / (16u * QUADS);
    let at = (k * TILES + tile) * PATCH + e / QUADS % 16u * S_PITCH + e % QUADS * 4u;
    sum += vec4f(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
  }
  return sum;
}

@compute @workgroup_size(THREADS)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32, @builtin(subgroup_id) subgroup: u32) {
  if (t < 2u) { atomicStore(&most[t], 0u); }
  workgroupBarrier();
  for (var i = t; i < 2u * PARTS; i += THREADS) { atomicMax(&most[i / PARTS], magnitudes[i]); }
  workgroupBarrier();
  let x_exponent = exponent(atomicLoad(&most[0]));
  let d_exponent = exponent(atomicLoad(&most[1]));
  let x_scale = power(14 - x_exponent);
  let d_scale = power(14 - d_exponent);
  let unscale = x_exponent + d_exponent - 28;   // in two factors, since its power of two may be too small for f32
  let half = unscale / 2;

  let tap = i32(group.x);
  let k = vec3i(tap / (g.kernel.y * g.kernel.z), tap / g.kernel.z % g.kernel.y, tap % g.kernel.z);
  let shift = g.off.xyz + k * g.off_step.xyz;
  let b0 = group.y / A_BLOCKS * BM4;
  let a0 = group.y % A_BLOCKS * BN4;
  let chunk = group.z;
  let total = u32(g.src.w * g.grid.x * g.grid.y);
  let first = i32(chunk * total / CHUNKS) * g.grid.z;
  let last = i32((chunk + 1u) * total / CHUNKS) * g.grid.z;
  let row0 = subgroup % TILES / WN * SM * 16u;         // of this subgroup's results in the tile
  let column0 = subgroup % TILES % WN * SN * N;
  let depth0 = subgroup / TILES * 16u;                 // and of its positions
  var main: array<Result, SM * SN>;
  var correction: array<Result, SM * SN>;
  var sums: array<vec4f, SM * SN * PER_THREAD>;
  var products = 0u;
  for (var p0 = first; p0 < last; p0 += i32(BK)) {
    for (var i = t; i < BK; i += THREADS) {
      let p = p0 + i32(i);
      let row = p / g.grid.z;
      let plane = row / g.grid.y;
      let v = vec3i(plane % g.grid.x, row % g.grid.y, p % g.grid.z) * g.is.xyz + shift;
      let inside = p < last && all(v >= vec3i()) && all(v < g.src.xyz);
      rows[i] = select(-1, ((plane / g.grid.x * g.src.x + v.x) * g.src.y + v.y) * g.src.z + v.z, inside);
    }
    workgroupBarrier();
    for (var i = t; i < BK * BM4; i += THREADS) {
      let row = rows[i / BM4];
      let c4 = b0 + i % BM4;
      var value = vec4f();
      if (row >= 0 && c4 < XC4) { value = load(u32(row) * XC4 + c4, c4); }
      put_x(i / BM4 * X_PITCH + i % BM4 * 4u, value * x_scale);
    }
    for (var i = t; i < BK * BN4; i += THREADS) {
      let c4 = a0 + i % BN4;
      var value = vec4f();
      if (rows[i / BN4] >= 0 && c4 < A4) { value = dense[(u32(p0) + i / BN4) * A4 + c4]; }
      put_dense(i / BN4 * D_PITCH + i % BN4 * 4u, value * d_scale);
    }
    workgroupBarrier();
    for (var d = 0u; d < BK; d += 16u * WK) {
      var high: array<Left, SM>;
      var low: array<Left, SM>;
      for (var i = 0u; i < SM; i++) {
        let at = (d + depth0) * X_PITCH + row0 + 16u * i;
        high[i] = subgroupMatrixLoad<Left, col_major>(&xs, at, X_PITCH);
        if (SPLIT) { low[i] = subgroupMatrixLoad<Left, col_major>(&xs, LOW_X + at, X_PITCH); }
      }
      for (var j = 0u; j < SN; j++) {
        let at = (d + depth0) * D_PITCH + column0 + N * j;
        let right = subgroupMatrixLoad<Right, row_major>(&ds, at, D_PITCH);
        for (var i = 0u; i < SM; i++) {
          let m = i * SN + j;
          main[m] = subgroupMatrixMultiplyAccumulate(high[i], right, main[m]);
          if (SPLIT) { correction[m] = subgroupMatrixMultiplyAccumulate(low[i], right, correction[m]); }
        }
        if (SPLIT) {
          let right_low = subgroupMatrixLoad<Right, row_major>(&ds, LOW_D + at, D_PITCH);
          for (var i = 0u; i < SM; i++) {
            let m = i * SN + j;
            correction[m] = subgroupMatrixMultiplyAccumulate(high[i], right_low, correction[m]);
          }
        }
      }
    }
    products += BK / (16u * WK);
    if (SPLIT && products >= FLUSH) {
      products = 0u;
      for (var m = 0u; m < SM * SN; m++) {
        lay_out(main[m], subgroup);
        for (var q = 0u; q < PER_THREAD; q++) { sums[m * PER_THREAD + q] += result(t + q * THREADS); }
        main[m] = Result();
      }
    }
  }
  let taps = u32(g.kernel.x * g.kernel.y * g.kernel.z);
  for (var m = 0u; m < SM * SN; m++) {
    lay_out(main[m], subgroup);
    for (var q = 0u; q < PER_THREAD; q++) { sums[m * PER_THREAD + q] += result(t + q * THREADS); }
    if (SPLIT) {
      lay_out(correction[m], subgroup);
      for (var q = 0u; q < PER_THREAD; q++) { sums[m * PER_THREAD + q] += result(t + q * THREADS) / 2048.0; }
    }
    for (var q = 0u; q < PER_THREAD; q++) {
      let e = t + q * THREADS;
      let tile = e / (16u * QUADS);
      let b = b0 * 4u + (tile / WN * SM + m / SN) * 16u + e / QUADS % 16u;
      let a4 = a0 + (tile % WN * SN + m % SN) * QUADS + e % QUADS;
      if (e >= FINISHED || b >= XC4 * 4u || a4 >= A4) { continue; }
      part[((chunk * taps + u32(tap)) * XC4 * 4u + b) * A4 + a4] = sums[m * PER_THREAD + q] * power(half) * power(unscale - half);
    }
  }
}
