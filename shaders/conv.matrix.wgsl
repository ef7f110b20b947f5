// Convolution, one group, as an implicit matrix product on tensor cores (see conv.direct.wgsl for the geometry).
// Subgroups of 32 invocations multiply matrices of f16 and add in f32; each owns SM x SN matrices of 16 x N results, and
// WM x WN of them make a workgroup's tile of positions x output channels. For each tap it walks the input channels in steps
// of BK: f32 values become f16 on their way to workgroup memory, whose rows are padded by 16 bytes against bank conflicts.
//
// A power of two scales each operand, so that its largest magnitude lies in 2^14..2^15 and f16 neither overflows nor, for
// small gradients, underflows. With SPLIT a value v is the f16 `high` nearest to it and the f16 `low` = (v - high)·2^11; of the
// products high·high go to one sum, high·low and low·high to another, and low·low (2^-22 of the term) is left out. That keeps
// the accuracy of f32 (Ootomo and Yokota 2022, "Recovering single precision accuracy from Tensor Cores"). Tensor cores cut
// off what does not fit where f32 rounds, so the main sum moves on to registers after every FLUSH products.
diagnostic(off, chromium.subgroup_matrix_uniformity);   // offsets depend on subgroup_id, the same in a subgroup
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
const CI4 = 16u;          // input channels / 4
const CO4 = 16u;          // output channels / 4
const SPLIT = true;       // two f16 values to an operand; without, inputs are rounded to f16 once
const N = 16u;            // columns of a matrix, 16 or 8; it has 16 rows and a depth of 16
const SM = 2u;            // matrices of a subgroup along positions
const SN = 2u;            // and along channels
const WM = 2u;            // subgroups along positions
const WN = 2u;            // and along channels
const BK = 16u;           // input channels held at a time, 16 or 32
const FLUSH = 4u;         // products of depth 16
const PARTS = 256u;       // of the largest magnitudes, to an operand
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
const R = 1u;             // pixel shuffle of the result: (phase, channel) of R·R phases to R x R pixels
const LEAD = 0u;          // phase p of a shuffle reads x from (p + LEAD) / R further on; then BN / 4 divides PER
struct Geometry {
  src: vec4i, dst: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  os: vec4i, oo: vec4i,
  taps: vec4i,
  k: vec4i, k_step: vec4i,
  kernel: vec4i,
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;        // taps, CI4·4, CO4
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> slope: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read> part: array<u32>;       // see largest.wgsl
@group(0) @binding(7) var<storage, read_write> out: array<vec4f>;

alias Left = subgroup_matrix_left<f16, 16, 16>;      // columns, rows: channels in x positions
alias Right = subgroup_matrix_right<f16, N, 16>;     // channels out x channels in
alias Result = subgroup_matrix_result<f32, N, 16>;   // channels out x positions
const THREADS = 32u * WM * WN;
const BM = 16u * SM * WM;                 // positions
const BN = N * SN * WN;                   // output channels
const PITCH = BK + 8u;                    // of a row of inputs; matrix loads want multiples of 16 bytes
const W_PITCH = BN + 8u;
const HALVES = select(1u, 2u, SPLIT);
const LOW_INPUTS = BM * PITCH;            // where the low values begin
const LOW_WEIGHTS = BK * W_PITCH;
const PER = CO4 / (R * R);                // output channels of a phase / 4
const K4 = BK / 4u;
const OWN = (BM + THREADS - 1u) / THREADS;   // positions whose coordinates an invocation keeps
const QUADS = N / 4u;                     // vec4 in a row of a matrix
const PER_THREAD = 16u * QUADS / 32u;     // vec4 of a matrix that an invocation finishes
const S_PITCH = N + 4u;
const PATCH = 16u * S_PITCH;              // one matrix of results
var<workgroup> inputs: array<f16, HALVES * BM * PITCH>;
var<workgroup> weights: array<f16, HALVES * BK * W_PITCH>;
var<workgroup> rows: array<i32, BM>;      // where the tap's input of each position lies, or -1
var<workgroup> results: array<f32, WM * WN * PATCH>;
var<workgroup> most: array<atomic<u32>, 4>;          // magnitudes of x and w; two more keep what follows on 16 bytes

fn load(i: u32, c4: u32) -> vec4f {
  let v = x[i];
  if (SLOPES == 0u) { return v; }
  return v * select(select(vec4f(slope[0].x), slope[c4], SLOPES == 1u), vec4f(1.0), v > vec4f());
}

fn finish(sum: vec4f, o: u32, at: u32) -> vec4f {
  var y = sum;
  if (BIAS) { y += bias[o]; }
  if (RESIDUAL) { y += residual[at]; }
  if (LEAK != 1.0) { y = select(LEAK * y, y, y > vec4f()); }
  return y;
}

fn position(i: i32) -> vec4i {            // n, d, h, w of the i-th output of this phase
  let row = i / g.grid.z;
  let plane = row / g.grid.y;
  return vec4i(plane / g.grid.x, plane % g.grid.x, row % g.grid.y, i % g.grid.z);
}

fn phase_of(co: u32) -> vec2u { return vec2u(co / PER / R, co / PER % R); }

fn power(exponent: i32) -> f32 { return bitcast<f32>(u32(exponent + 127) << 23u); }

fn exponent(bits: u32) -> i32 { return max(i32(bits >> 23u) - 127, -100); }

// The f16 nearest to v, still as f32. By its bits, since a compiler may take f32(f16(v)) for v; and 0 below the normal numbers
// of f16, which leaves all of v to `low`.
fn nearest(v: vec4f) -> vec4f {
  let bits = bitcast<vec4u>(v);
  let rounded = bitcast<vec4f>((bits + 0xfffu + ((bits >> vec4u(13u)) & vec4u(1u))) & vec4u(0xffffe000u));
  return select(vec4f(), rounded, abs(v) >= vec4f(0x1p-14));
}

fn put_inputs(at: u32, v: vec4f) {
  let near = nearest(v);
  let high = vec4<f16>(select(v, near, SPLIT));
  for (var l = 0u; l < 4u; l++) { inputs[at + l] = high[l]; }
  if (SPLIT) {
    let low = vec4<f16>((v - near) * 2048.0);
    for (var l = 0u; l < 4u; l++) { inputs[LOW_INPUTS + at + l] = low[l]; }
  }
}

fn put_weights(at: u32, v: vec4f) {
  let near = nearest(v);
  let high = vec4<f16>(select(v, near, SPLIT));
  for (var l = 0u; l < 4u; l++) { weights[at + l] = high[l]; }
  if (SPLIT) {
    let low = vec4<f16>((v - near) * 2048.0);
    for (var l = 0u; l < 4u; l++) { weights[LOW_WEIGHTS + at + l] = low[l]; }
  }
}

// Every subgroup leaves one matrix in workgroup memory, for `result` to read.
fn lay_out(m: Result, subgroup: u32) {
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&results, subgroup * PATCH, m, S_PITCH);
  workgroupBarrier();
}

fn result(t: u32, q: u32) -> vec4f {      // the q-th vec4 of this invocation
  let e = t % 32u + 32u * q;
  let at = t / 32u * PATCH + e / QUADS * S_PITCH + e % QUADS * 4u;
  return vec4f(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
}

@compute @workgroup_size(THREADS)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32, @builtin(subgroup_id) subgroup: u32) {
  if (t < 2u) { atomicStore(&most[t], 0u); }
  workgroupBarrier();
  for (var i = t; i < 2u * PARTS; i += THREADS) { atomicMax(&most[i / PARTS], part[i]); }
  workgroupBarrier();
  let x_exponent = exponent(atomicLoad(&most[0]));
  let w_exponent = exponent(atomicLoad(&most[1]));
  let x_scale = power(14 - x_exponent);
  let w_scale = power(14 - w_exponent);
  let unscale = x_exponent + w_exponent - 28;   // in two factors, since its power of two may be too small for f32
  let half = unscale / 2;

  let first = i32((group.y * groups.x + group.x) * BM);
  let total = g.src.w * g.grid.x * g.grid.y * g.grid.z;
  let c0 = group.z * BN / 4u;
  let off = g.off.xyz + vec3i(0, vec2i((phase_of(c0) + LEAD) / R));
  var start: array<vec4i, OWN>;           // n, and where the first tap of each position lies
  for (var i = 0u; i < OWN; i++) {
    let p = first + i32(t + i * THREADS);
    let q = position(min(p, total - 1));
    start[i] = vec4i(select(-1, q.x, p < total), q.yzw * g.is.xyz + off);
  }
  let row0 = subgroup / WN * SM * 16u;    // of this subgroup's results in the tile
  let column0 = subgroup % WN * SN * N;
  var main: array<Result, SM * SN>;
  var correction: array<Result, SM * SN>;
  var sums: array<vec4f, SM * SN * PER_THREAD>;
  var products = 0u;
  for (var a = 0; a < g.taps.x; a++) {
    for (var b = 0; b < g.taps.y; b++) {
      for (var c = 0; c < g.taps.z; c++) {
        for (var i = 0u; i < OWN; i++) {
          let s = start[i];
          let v = s.yzw + vec3i(a, b, c) * g.off_step.xyz;
          let inside = s.x >= 0 && all(v >= vec3i()) && all(v < g.src.xyz);
          let row = select(-1, ((s.x * g.src.x + v.x) * g.src.y + v.y) * g.src.z + v.z, inside);
          if (t + i * THREADS < BM) { rows[t + i * THREADS] = row; }
        }
        let k = g.k.xyz + vec3i(a, b, c) * g.k_step.xyz;
        let tap = u32((k.x * g.kernel.y + k.y) * g.kernel.z + k.z) * CI4 * 4u;
        for (var k0 = 0u; k0 < CI4; k0 += K4) {
          workgroupBarrier();
          for (var i = t; i < BM * K4; i += THREADS) {
            let row = rows[i / K4];
            let c4 = k0 + i % K4;
            var value = vec4f();
            if (row >= 0 && c4 < CI4) { value = load(u32(row) * CI4 + c4, c4); }
            put_inputs(i / K4 * PITCH + i % K4 * 4u, value * x_scale);
          }
          for (var i = t; i < BK * BN / 4u; i += THREADS) {
            let r = i / (BN / 4u);
            let co = c0 + i % (BN / 4u);
            var value = vec4f();
            if (k0 * 4u + r < CI4 * 4u && co < CO4) { value = w[(tap + k0 * 4u + r) * CO4 + co]; }
            put_weights(r * W_PITCH + i % (BN / 4u) * 4u, value * w_scale);
          }
          workgroupBarrier();
          for (var d = 0u; d < BK; d += 16u) {
            var high: array<Left, SM>;
            var low: array<Left, SM>;
            for (var i = 0u; i < SM; i++) {
              let at = (row0 + 16u * i) * PITCH + d;
              high[i] = subgroupMatrixLoad<Left, row_major>(&inputs, at, PITCH);
              if (SPLIT) { low[i] = subgroupMatrixLoad<Left, row_major>(&inputs, LOW_INPUTS + at, PITCH); }
            }
            for (var j = 0u; j < SN; j++) {
              let at = d * W_PITCH + column0 + N * j;
              let right = subgroupMatrixLoad<Right, row_major>(&weights, at, W_PITCH);
              for (var i = 0u; i < SM; i++) {
                let m = i * SN + j;
                main[m] = subgroupMatrixMultiplyAccumulate(high[i], right, main[m]);
                if (SPLIT) { correction[m] = subgroupMatrixMultiplyAccumulate(low[i], right, correction[m]); }
              }
              if (SPLIT) {
                let right_low = subgroupMatrixLoad<Right, row_major>(&weights, LOW_WEIGHTS + at, W_PITCH);
                for (var i = 0u; i < SM; i++) {
                  let m = i * SN + j;
                  correction[m] = subgroupMatrixMultiplyAccumulate(high[i], right_low, correction[m]);
                }
              }
            }
          }
          products += BK / 16u;
          if (SPLIT && products >= FLUSH) {
            products = 0u;
            for (var m = 0u; m < SM * SN; m++) {
              lay_out(main[m], subgroup);
              for (var q = 0u; q < PER_THREAD; q++) { sums[m * PER_THREAD + q] += result(t, q); }
              main[m] = Result();
            }
          }
        }
      }
    }
  }
  for (var m = 0u; m < SM * SN; m++) {
    lay_out(main[m], subgroup);
    for (var q = 0u; q < PER_THREAD; q++) { sums[m * PER_THREAD + q] += result(t, q); }
    if (SPLIT) {
      lay_out(correction[m], subgroup);
      for (var q = 0u; q < PER_THREAD; q++) { sums[m * PER_THREAD + q] += result(t, q) / 2048.0; }
    }
    for (var q = 0u; q < PER_THREAD; q++) {
      let e = t % 32u + 32u * q;
      let i = first + i32(t / 32u / WN * SM * 16u + m / SN * 16u + e / QUADS);
      let co = c0 + (t / 32u % WN * SN + m % SN) * QUADS + e % QUADS;
      if (i >= total || co >= CO4) { continue; }
      let phase = vec2i(phase_of(co));
      let p = position(i);
      let o = p.yzw * g.os.xyz + g.oo.xyz + vec3i(0, phase);
      let at = u32(((p.x * g.dst.x + o.x) * g.dst.y + o.y) * g.dst.z + o.z) * PER + co % PER;
      out[at] = finish(sums[m * PER_THREAD + q] * power(half) * power(unscale - half), co, at);
    }
  }
}
