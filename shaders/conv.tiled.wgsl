// Convolution, one group, as an implicit matrix product for GPUs (see conv.direct.wgsl for the geometry).
// A workgroup of TX·TY invocations computes 8·TY positions x 8·TX output channels. For each tap it walks the input channels
// in steps of BK4·4: the inputs of its positions (rows padded by one vec4 against bank conflicts) and the weights go to
// workgroup memory, then every invocation adds 8 positions x 8 channels in registers. The coordinates of a position are
// computed once, its address once a tap.
const CI4 = 16u;          // input channels / 4
const CO4 = 16u;          // output channels / 4
const TX = 8u;            // invocations along channels
const TY = 16u;           // invocations along positions
const BK4 = 4u;           // input channels / 4 held at a time
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
const R = 1u;             // pixel shuffle of the result: (phase, channel) of R·R phases to R x R pixels
const LEAD = 0u;          // phase p of a shuffle reads x from (p + LEAD) / R further on; then BN4 divides PER
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
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;

const THREADS = TX * TY;
const BM = 8u * TY;                       // positions
const BN4 = 2u * TX;                      // output channels / 4
const PITCH = BK4 + 1u;
const PER = CO4 / (R * R);                // output channels of a phase / 4
const LOADS = BM * BK4 / THREADS;         // vec4 of input that an invocation loads at a time
const ROW_STEP = THREADS / BK4;           // the rows it loads lie so far apart
var<workgroup> inputs: array<vec4f, BM * PITCH>;
var<workgroup> weights: array<vec4f, BK4 * 4u * BN4>;

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

@compute @workgroup_size(THREADS)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
  let first = i32((group.y * groups.x + group.x) * BM);
  let total = g.src.w * g.grid.x * g.grid.y * g.grid.z;
  let c0 = group.z * BN4;
  let tx = t % TX;
  let ty = t / TX;
  let off = g.off.xyz + vec3i(0, vec2i((phase_of(c0) + LEAD) / R));

  var start: array<vec4i, LOADS>;         // n, and where the first tap of each position that this invocation loads lies
  for (var i = 0u; i < LOADS; i++) {
    let p = first + i32(t / BK4 + i * ROW_STEP);
    let q = position(min(p, total - 1));
    start[i] = vec4i(select(-1, q.x, p < total), q.yzw * g.is.xyz + off);
  }
  var sums: array<vec4f, 16>;             // 8 positions x 2 vec4 of channels
  for (var a = 0; a < g.taps.x; a++) {
    for (var b = 0; b < g.taps.y; b++) {
      for (var c = 0; c < g.taps.z; c++) {
        var row: array<i32, LOADS>;
        for (var i = 0u; i < LOADS; i++) {
          let s = start[i];
          let v = s.yzw + vec3i(a, b, c) * g.off_step.xyz;
          let inside = s.x >= 0 && all(v >= vec3i()) && all(v < g.src.xyz);
          row[i] = select(-1, ((s.x * g.src.x + v.x) * g.src.y + v.y) * g.src.z + v.z, inside);
        }
        let k = g.k.xyz + vec3i(a, b, c) * g.k_step.xyz;
        let tap = u32((k.x * g.kernel.y + k.y) * g.kernel.z + k.z) * CI4 * 4u;
        for (var k0 = 0u; k0 < CI4; k0 += BK4) {
          workgroupBarrier();
          let c4 = k0 + t % BK4;
          for (var i = 0u; i < LOADS; i++) {
            var value = vec4f();
            if (row[i] >= 0 && c4 < CI4) { value = load(u32(row[i]) * CI4 + c4, c4); }
            inputs[(t / BK4 + i * ROW_STEP) * PITCH + t % BK4] = value;
          }
          for (var i = t; i < BK4 * 4u * BN4; i += THREADS) {
            let ci = k0 * 4u + i / BN4;
            let co = c0 + i % BN4;
            var value = vec4f();
            if (ci < CI4 * 4u && co < CO4) { value = w[(tap + ci) * CO4 + co]; }
            weights[i] = value;
          }
          workgroupBarrier();
          for (var k4 = 0u; k4 < BK4; k4++) {
            let at = k4 * 4u * BN4 + tx;
            let wa0 = weights[at];
            let wa1 = weights[at + BN4];
            let wa2 = weights[at + 2u * BN4];
            let wa3 = weights[at + 3u * BN4];
            let wb0 = weights[at + TX];
            let wb1 = weights[at + TX + BN4];
            let wb2 = weights[at + TX + 2u * BN4];
            let wb3 = weights[at + TX + 3u * BN4];
            for (var p = 0u; p < 8u; p++) {
              let v = inputs[(ty + p * TY) * PITCH + k4];
              sums[2u * p] = fma(wa0, vec4f(v.x), fma(wa1, vec4f(v.y), fma(wa2, vec4f(v.z), fma(wa3, vec4f(v.w), sums[2u * p]))));
              sums[2u * p + 1u] = fma(wb0, vec4f(v.x), fma(wb1, vec4f(v.y), fma(wb2, vec4f(v.z), fma(wb3, vec4f(v.w), sums[2u * p + 1u]))));
            }
          }
        }
      }
    }
  }
  for (var half = 0u; half < 2u; half++) {
    let co = c0 + tx + half * TX;
    if (co >= CO4) { continue; }
    let phase = vec2i(phase_of(co));
    for (var p = 0u; p < 8u; p++) {
      let i = first + i32(ty + p * TY);
      if (i >= total) { continue; }
      let q = position(i);
      let o = q.yzw * g.os.xyz + g.oo.xyz + vec3i(0, phase);
      let at = u32(((q.x * g.dst.x + o.x) * g.dst.y + o.y) * g.dst.z + o.z) * PER + co % PER;
      out[at] = finish(sums[2u * p + half], co, at);
    }
  }
}
