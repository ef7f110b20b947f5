// Weight gradient of a convolution with Winograd's tiles, the products for GPUs (see conv_dw.winograd.wgsl for the formula).
// A workgroup of 64 invocations computes, for one frequency, one depth tap and one part of the tiles, 64 channels of x against
// 64 of dense. It walks the tiles in steps of BK, whose values lie in workgroup memory; every invocation adds 8 x 8 sums in
// registers.
const XC4 = 16u;          // channels of x / 4
const A4 = 16u;           // channels of dense / 4
const PARTS = 1u;
const BK = 16u;           // tiles at a time
struct Geometry {
  src: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  kernel: vec4i,
  tiles: vec4i,           // as in conv.winograd.wgsl
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> v: array<vec4f>;                // 16, D of x, rows, tiles of a row, XC4
@group(0) @binding(2) var<storage, read> e: array<vec4f>;                // 16, D of dense, rows, tiles of a row, A4
@group(0) @binding(3) var<storage, read_write> part: array<vec4f>;       // parts, depth taps, 16, XC4·4, A4

const THREADS = 64u;
const TILE4 = 16u;                        // 64 channels
const A_BLOCKS = (A4 + TILE4 - 1u) / TILE4;
var<workgroup> xs: array<vec4f, BK * TILE4>;
var<workgroup> ds: array<vec4f, BK * TILE4>;

@compute @workgroup_size(THREADS)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let f = group.x % 16u;
  let tap = group.x / 16u;
  let b0 = group.y / A_BLOCKS * TILE4;
  let a0 = group.y % A_BLOCKS * TILE4;
  let count = u32(g.tiles.w * g.tiles.y);
  let length = (count + PARTS - 1u) / PARTS;
  let first = group.z * length;
  let last = min(first + length, count);
  let tx = t % 8u;
  let ty = t / 8u;
  var sums: array<vec4f, 16>;             // 8 channels of x, each against 2 vec4 of dense
  for (var pd = 0; pd < g.grid.x; pd++) {
    let d = pd * g.is.x + g.off.x + i32(tap) * g.off_step.x;
    if (d < 0 || d >= g.src.x) { continue; }
    let frame_v = (f * u32(g.src.x) + u32(d)) * count;
    let frame_e = (f * u32(g.grid.x) + u32(pd)) * count;
    for (var p0 = first; p0 < last; p0 += BK) {
      workgroupBarrier();
      for (var i = t; i < BK * TILE4; i += THREADS) {
        let p = p0 + i / TILE4;
        let c = i % TILE4;
        var xv = vec4f();
        var dv = vec4f();
        if (p < last && b0 + c < XC4) { xv = v[(frame_v + p) * XC4 + b0 + c]; }
        if (p < last && a0 + c < A4) { dv = e[(frame_e + p) * A4 + a0 + c]; }
        xs[i] = xv;
        ds[i] = dv;
      }
      workgroupBarrier();
      for (var p = 0u; p < BK; p++) {
        let at = p * TILE4;
        let x0 = xs[at + ty];
        let x1 = xs[at + ty + 8u];
        let m = ds[at + tx];
        let n = ds[at + tx + 8u];
        for (var l = 0u; l < 4u; l++) {
          sums[2u * l] = fma(m, vec4f(x0[l]), sums[2u * l]);
          sums[2u * l + 1u] = fma(n, vec4f(x0[l]), sums[2u * l + 1u]);
          sums[2u * l + 8u] = fma(m, vec4f(x1[l]), sums[2u * l + 8u]);
          sums[2u * l + 9u] = fma(n, vec4f(x1[l]), sums[2u * l + 9u]);
        }
      }
    }
  }
  let block = ((group.z * u32(g.kernel.x) + tap) * 16u + f) * XC4 * 4u;
  for (var i = 0u; i < 16u; i++) {
    let b4 = b0 + ty + i / 8u * 8u;
    let a = a0 + tx + i % 2u * 8u;
    let at = (block + b4 * 4u + i / 2u % 4u) * A4 + a;
    if (b4 < XC4 && a < A4) {
      if (g.tiles.z > 0) { sums[i] += part[at]; }                // rows before these were added already
      part[at] = sums[i];
    }
  }
}
