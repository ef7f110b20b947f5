// Convolution, one group, as a gather (see conv.direct.wgsl for the geometry).
// A workgroup computes P neighbouring positions of a row for LANES·V output channels: each lane keeps P sums of a V of
// channels in registers. Few channels take a narrow V, so that a subgroup's lanes stay busy. The stretch of input that one
// row of taps needs (TILE positions, BLOCK·4 channels) lies in workgroup memory, loaded by all lanes; every lane then reads
// the same input value at the same time, and weights of its own.
alias V = vec4f;          // output channels of a lane: vec4f, vec2f or f32
const REAL = 4u;          // channels in a vec4 of x: 4, or fewer where x has fewer
const CI4 = 16u;          // input channels / 4
const COV = 16u;          // output channels / width of V
const LANES = 16u;
const P = 12u;
const BLOCK = 16u;        // input channels / 4 held at a time; divides CI4
const TILE = 14u;         // (P - 1)·is + (taps - 1)·off_step + 1
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
const R = 1u;             // pixel shuffle of the result: (phase, channel) of R·R phases to R x R pixels
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
@group(0) @binding(2) var<storage, read> w: array<V>;            // taps, CI4·4, COV
@group(0) @binding(3) var<storage, read> bias: array<V>;
@group(0) @binding(4) var<storage, read> slope: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<V>;
@group(0) @binding(6) var<storage, read_write> out: array<V>;
const CO_BLOCKS = (COV + LANES - 1u) / LANES;
const PER = COV / (R * R);      // channels of a phase, in V
var<workgroup> tile: array<vec4f, TILE * BLOCK>;

fn load(i: u32, c4: u32) -> vec4f {
  let v = x[i];
  if (SLOPES == 0u) { return v; }
  return v * select(select(vec4f(slope[0].x), slope[c4], SLOPES == 1u), vec4f(1.0), v > vec4f());
}

fn finish(sum: V, o: u32, at: u32) -> V {
  var y = sum;
  if (BIAS) { y += bias[o]; }
  if (RESIDUAL) { y += residual[at]; }
  if (LEAK != 1.0) { y = select(LEAK * y, y, y > V()); }
  return y;
}

@compute @workgroup_size(LANES)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let v0 = i32(group.x / CO_BLOCKS * P);
  let o = min(group.x % CO_BLOCKS * LANES + lane, COV - 1u);   // lanes past the end repeat the last channels
  let ph = i32(group.y);
  let pd = i32(group.z) % g.grid.x;
  let n = i32(group.z) / g.grid.x;
  var sums: array<V, P>;
  for (var a = 0; a < g.taps.x; a++) {
    let d = pd * g.is.x + g.off.x + a * g.off_step.x;
    if (d < 0 || d >= g.src.x) { continue; }
    for (var b = 0; b < g.taps.y; b++) {
      let h = ph * g.is.y + g.off.y + b * g.off_step.y;
      if (h < 0 || h >= g.src.y) { continue; }
      let row = ((n * g.src.x + d) * g.src.y + h) * g.src.z;
      let first = v0 * g.is.z + g.off.z;
      let tap = ((g.k.x + a * g.k_step.x) * g.kernel.y + g.k.y + b * g.k_step.y) * g.kernel.z + g.k.z;
      for (var c0 = 0u; c0 < CI4; c0 += BLOCK) {
        workgroupBarrier();
        for (var i = lane; i < TILE * BLOCK; i += LANES) {
          let v = first + i32(i / BLOCK);
          var value = vec4f();
          if (v >= 0 && v < g.src.z) { value = load(u32(row + v) * CI4 + c0 + i % BLOCK, c0 + i % BLOCK); }
          tile[i] = value;
        }
        workgroupBarrier();
        for (var c = 0; c < g.taps.z; c++) {
          let at = u32(c * g.off_step.z) * BLOCK;
          let weights = (u32(tap + c * g.k_step.z) * CI4 + c0) * 4u * COV + o;
          for (var ci = 0u; ci < BLOCK; ci++) {
            let wi = weights + ci * 4u * COV;
            let w0 = w[wi];
            let w1 = w[wi + COV];
            let w2 = w[wi + 2u * COV];
            let w3 = w[wi + 3u * COV];
            for (var p = 0u; p < P; p++) {
              let v = tile[at + p * u32(g.is.z) * BLOCK + ci];
              var sum = fma(w0, V(v.x), sums[p]);
              if (REAL > 1u) { sum = fma(w1, V(v.y), sum); }
              if (REAL > 2u) { sum = fma(w2, V(v.z), sum); }
              if (REAL > 3u) { sum = fma(w3, V(v.w), sum); }
              sums[p] = sum;
            }
          }
        }
      }
    }
  }
  let phase = i32(o / PER);
  let q = vec2i(pd, ph) * g.os.xy + g.oo.xy;
  let row_out = ((n * g.dst.x + q.x) * g.dst.y + q.y) * g.dst.z + g.oo.z + phase / i32(R) * g.dst.z + phase % i32(R);
  for (var p = 0u; p < P; p++) {
    let v = v0 + i32(p);
    if (v < g.grid.z) {
      let at = u32(row_out + v * g.os.z) * PER + o % PER;
      out[at] = finish(sums[p], o, at);
    }
  }
}
