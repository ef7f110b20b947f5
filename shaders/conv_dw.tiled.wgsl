// Weight gradient of a convolution, one group, as a matrix product for GPUs (see conv_dw.direct.wgsl for the formula).
// A workgroup of 64 invocations computes, for one tap and one chunk of rows, 64 channels of x against 64 of dense. It walks
// the positions in steps of BK, whose values lie in workgroup memory; every invocation adds 8 x 8 weights in registers.
const XC4 = 16u;          // channels of x / 4
const A4 = 16u;           // channels of dense / 4
const BK = 16u;           // positions at a time
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
@group(0) @binding(4) var<storage, read_write> part: array<vec4f>;

const THREADS = 64u;
const TILE4 = 16u;                        // 64 channels
const A_BLOCKS = (A4 + TILE4 - 1u) / TILE4;
var<workgroup> xs: array<vec4f, BK * TILE4>;
var<workgroup> ds: array<vec4f, BK * TILE4>;

fn load(i: u32, c4: u32) -> vec4f {
  let v = x[i];
  if (SLOPES == 0u) { return v; }
  return v * select(select(vec4f(slope[0].x), slope[c4], SLOPES == 1u), vec4f(1.0), v > vec4f());
}

@compute @workgroup_size(THREADS)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let tap = i32(group.x);
  let k = vec3i(tap / (g.kernel.y * g.kernel.z), tap / g.kernel.z % g.kernel.y, tap % g.kernel.z);
  let shift = g.off.xyz + k * g.off_step.xyz;
  let b0 = group.y / A_BLOCKS * TILE4;
  let a0 = group.y % A_BLOCKS * TILE4;
  let chunk = group.z;
  let rows = u32(g.src.w * g.grid.x * g.grid.y);
  let first = i32(chunk * rows / CHUNKS) * g.grid.z;
  let last = i32((chunk + 1u) * rows / CHUNKS) * g.grid.z;
  let tx = t % 8u;
  let ty = t / 8u;
  var sums: array<vec4f, 16>;             // 8 channels of x, each against 2 vec4 of dense
  for (var p0 = first; p0 < last; p0 += i32(BK)) {
    workgroupBarrier();
    for (var i = t; i < BK * TILE4; i += THREADS) {
      let p = p0 + i32(i / TILE4);
      let c = i % TILE4;
      let row = p / g.grid.z;
      let plane = row / g.grid.y;
      let v = vec3i(plane % g.grid.x, row % g.grid.y, p % g.grid.z) * g.is.xyz + shift;
      var xv = vec4f();
      var dv = vec4f();
      if (p < last && all(v >= vec3i()) && all(v < g.src.xyz)) {
        if (b0 + c < XC4) { xv = load(u32(((plane / g.grid.x * g.src.x + v.x) * g.src.y + v.y) * g.src.z + v.z) * XC4 + b0 + c, b0 + c); }
        if (a0 + c < A4) { dv = dense[u32(p) * A4 + a0 + c]; }
      }
      xs[i] = xv;
      ds[i] = dv;
    }
    workgroupBarrier();
    for (var p = 0u; p < BK; p++) {
      let at = p * TILE4;
      let u = xs[at + ty];
      let v = xs[at + ty + 8u];
      let m = ds[at + tx];
      let n = ds[at + tx + 8u];
      for (var l = 0u; l < 4u; l++) {
        sums[2u * l] = fma(m, vec4f(u[l]), sums[2u * l]);
        sums[2u * l + 1u] = fma(n, vec4f(u[l]), sums[2u * l + 1u]);
        sums[2u * l + 8u] = fma(m, vec4f(v[l]), sums[2u * l + 8u]);
        sums[2u * l + 9u] = fma(n, vec4f(v[l]), sums[2u * l + 9u]);
      }
    }
  }
  let taps = u32(g.kernel.x * g.kernel.y * g.kernel.z);
  for (var half = 0u; half < 2u; half++) {
    let b4 = b0 + ty + half * 8u;
    for (var l = 0u; l < 4u; l++) {
      let at = ((chunk * taps + u32(tap)) * XC4 * 4u + b4 * 4u + l) * A4 + a0 + tx;
      if (b4 < XC4 && a0 + tx < A4) { part[at] = sums[half * 8u + 2u * l]; }
      if (b4 < XC4 && a0 + tx + 8u < A4) { part[at + 8u] = sums[half * 8u + 2u * l + 1u]; }
    }
  }
}
