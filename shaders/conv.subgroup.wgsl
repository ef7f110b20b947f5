// Convolution, one group, as a gather (see conv.direct.wgsl for the geometry), for adapters whose subgroups have eight lanes.
// A subgroup computes 8·REGS neighbouring positions (of all rows, frames and samples) for LC·4 output channels: LC lanes lie
// along channels, 8/LC along positions, and each keeps P = REGS·LC sums in registers. A lane loads the input of REGS
// positions; a shuffle hands each value to the LC lanes that multiply it. So there is no workgroup memory and no barrier.
enable subgroups;
diagnostic(off, subgroup_uniformity);   // count below is uniform, but the compiler takes no vote for that
alias X = vec4f;          // input channels loaded at a time: vec4f, or f32 where there is one
const REAL = 4u;          // channels in a vec4 of x: 4, or fewer where x has fewer
const CI4 = 16u;          // input channels / 4
const CO4 = 16u;          // output channels / 4
const LC = 8u;            // 8, 4 or 2
const REGS = 3u;
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
const R = 1u;             // pixel shuffle of the result: (phase, channel) of R·R phases to R x R pixels
const LEAD = 0u;          // phase p of a shuffle reads x from (p + LEAD) / R further on; then LC divides PER
struct Geometry {
  src: vec4i, dst: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  os: vec4i, oo: vec4i,
  taps: vec4i,
  k: vec4i, k_step: vec4i,
  kernel: vec4i,
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;        // taps, CI4·4, CO4
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> slope: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;
const CO_BLOCKS = (CO4 + LC - 1u) / LC;
const PITCH = select(CI4, 4u, REAL == 1u);
const PER = CO4 / (R * R);      // channels of a phase / 4
const P = REGS * LC;
const W_ROWS = LC / 2u;         // of the four rows of weights that a lane needs, those that it loads; others have the rest

// What the PReLU of x multiplies values below zero with.
fn slopes(c4: u32) -> vec4f {
  if (SLOPES == 0u) { return vec4f(1.0); }
  return select(vec4f(slope[0].x), slope[c4], SLOPES == 1u);
}

// The value of another lane; with lanes along channels alone it is always one's own.
fn hand(v: vec4f, from_lane: u32) -> vec4f {
  if (LC == 8u) { return v; }
  return subgroupShuffle(v, from_lane);
}

fn finish(sum: vec4f, o: u32, at: u32) -> vec4f {
  var y = sum;
  if (BIAS) { y += bias[o]; }
  if (RESIDUAL) { y += residual[at]; }
  if (LEAK != 1.0) { y = select(LEAK * y, y, y > vec4f()); }
  return y;
}

// Whole numbers divided by way of floats, and put right: processors divide whole numbers lane by lane.
fn divide(a: i32, b: i32) -> i32 {
  let inverse = 1.0 / f32(b);
  var q = i32(f32(a) * inverse);
  q += i32(f32(a - q * b) * inverse);
  let rest = a - q * b;
  return q + select(0, 1, rest >= b) - select(0, 1, rest < 0);
}

@compute @workgroup_size(8)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let o = min(group.z * LC + lane % LC, CO4 - 1u);   // lanes past the end repeat the last channels
  let first = (group.y * groups.x + group.x) * 8u * REGS;
  let mine = lane / LC * LC;                         // the first of the lanes that loaded this lane's positions
  let total = g.src.w * g.grid.x * g.grid.y * g.grid.z;
  let phase = vec2u(o / PER / R, o / PER % R);
  let off = g.off.xyz + vec3i(0, vec2i((phase + LEAD) / R));

  var start: array<vec3i, REGS>;          // where the first tap of the positions that this lane loads lies
  var base: array<i32, REGS>;             // and its address
  var dest: array<i32, REGS>;             // the address of its result, or -1 where there is none
  for (var r = 0u; r < REGS; r++) {
    let i = i32(first + r * 8u + lane);
    let row = divide(i, g.grid.z);
    let plane = divide(row, g.grid.y);
    let n = divide(plane, g.grid.x);
    let q = vec3i(plane - n * g.grid.x, row - plane * g.grid.y, i - row * g.grid.z);
    let v = q * g.is.xyz + off;
    let t = q * g.os.xyz + g.oo.xyz;
    start[r] = select(vec3i(-0x1000000), v, i < total);
    base[r] = ((n * g.src.x + v.x) * g.src.y + v.y) * g.src.z + v.z;
    dest[r] = select(-1, ((n * g.dst.x + t.x) * g.dst.y + t.y) * g.dst.z + t.z, i < total);
  }
  var sums: array<vec4f, P>;
  for (var a = 0; a < g.taps.x; a++) {
    for (var b = 0; b < g.taps.y; b++) {
      for (var c = 0; c < g.taps.z; c++) {
        let shift = vec3i(a, b, c) * g.off_step.xyz;
        let step = (shift.x * g.src.y + shift.y) * g.src.z + shift.z;
        let k = g.k.xyz + vec3i(a, b, c) * g.k_step.xyz;
        let tap = u32((k.x * g.kernel.y + k.y) * g.kernel.z + k.z) * CI4 * 4u;
        var at: array<i32, REGS>;
        var last = -1;
        for (var r = 0u; r < REGS; r++) {
          let v = start[r] + shift;
          at[r] = select(-1, (base[r] + step) * i32(PITCH), all(v >= vec3i()) && all(v < g.src.xyz));
          last = max(last, at[r]);
        }
        let count = select(0u, CI4, subgroupAny(last >= 0));   // nothing to do where all meet the padding
        for (var c4 = 0u; c4 < count; c4++) {
          let leak = slopes(c4);
          var values: array<vec4f, REGS>;
          for (var r = 0u; r < REGS; r++) {
            var value = vec4f();
            value = select(vec4f(), vec4f(x[u32(max(at[r], 0)) + c4]), at[r] >= 0);
            values[r] = value;
            if (SLOPES != 0u) { values[r] *= select(leak, vec4f(1.0), value > vec4f()); }
          }
          let wi = (tap + c4 * 4u + lane / LC * W_ROWS) * CO4 + o;
          let w0 = hand(w[wi], lane % LC);
          let w1 = hand(w[wi + 1u % W_ROWS * CO4], 1u / W_ROWS * LC + lane % LC);
          let w2 = hand(w[wi + 2u % W_ROWS * CO4], 2u / W_ROWS * LC + lane % LC);
          let w3 = hand(w[wi + 3u % W_ROWS * CO4], 3u / W_ROWS * LC + lane % LC);
          for (var p = 0u; p < P; p++) {
            let v = subgroupShuffle(values[p / LC], mine + p % LC);
            var sum = fma(w0, vec4f(v.x), sums[p]);
            if (REAL > 1u) { sum = fma(w1, vec4f(v.y), sum); }
            if (REAL > 2u) { sum = fma(w2, vec4f(v.z), sum); }
            if (REAL > 3u) { sum = fma(w3, vec4f(v.w), sum); }
            sums[p] = sum;
          }
        }
      }
    }
  }
  let shuffled = i32(phase.x) * g.dst.z + i32(phase.y);
  for (var p = 0u; p < P; p++) {
    let to = subgroupShuffle(dest[p / LC], mine + p % LC);
    if (to >= 0) {
      let at = u32(to + shuffled) * PER + o % PER;
      out[at] = finish(sums[p], o, at);
    }
  }
}
