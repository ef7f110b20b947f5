// Weight gradient of a convolution with Winograd's tiles, the products (see conv_dw.winograd.wgsl for the formula), for
// adapters with subgroups. LA of eight lanes lie along dense's channels (four each) and 8/LA along parts of the tiles; each
// keeps the sums of BN·4 channels of x in registers, for one frequency and one depth tap. LA tiles are taken at a time: every
// lane loads its own channels of dense for all of them, and x for one of them; shuffles hand x to the lanes that multiply it.
enable subgroups;
const XC4 = 16u;          // channels of x / 4
const A4 = 16u;           // channels of dense / 4
const LA = 8u;            // 8, 4 or 2
const BN = 8u;            // channels of x / 4 of a lane
const PARTS = 1u;         // a multiple of 8/LA
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
const A_BLOCKS = (A4 + LA - 1u) / LA;

@compute @workgroup_size(8)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let f = group.x % 16u;
  let tap = group.x / 16u;
  let own = group.y % A_BLOCKS * LA + lane % LA;
  let a = min(own, A4 - 1u);                                   // lanes past the end have nothing to store
  let b0 = group.y / A_BLOCKS * BN;
  let s = group.z * (8u / LA) + lane / LA;
  let mine = select(lane / LA * LA, 0u, LA == 8u);             // the first of the lanes that loaded this lane's x
  let count = u32(g.tiles.w * g.tiles.y);
  let length = (count + PARTS - 1u) / PARTS;
  let end = min((s + 1u) * length, count);
  var sums: array<vec4f, 4u * BN>;
  for (var pd = 0; pd < g.grid.x; pd++) {
    let d = pd * g.is.x + g.off.x + i32(tap) * g.off_step.x;
    if (d < 0 || d >= g.src.x) { continue; }
    let frame_v = (f * u32(g.src.x) + u32(d)) * count;
    let frame_e = (f * u32(g.grid.x) + u32(pd)) * count;
    for (var step = 0u; step < length; step += LA) {
      let first = s * length + step;
      let p = first + lane % LA;
      var values: array<vec4f, BN>;
      for (var b = 0u; b < BN; b++) {
        values[b] = select(vec4f(), v[(frame_v + min(p, count - 1u)) * XC4 + min(b0 + b, XC4 - 1u)], p < end);
      }
      for (var j = 0u; j < LA; j += 2u) {                      // two tiles for each time that a sum is fetched and put back
        let e0 = e[(frame_e + min(first + j, count - 1u)) * A4 + a];
        let e1 = e[(frame_e + min(first + j + 1u, count - 1u)) * A4 + a];
        for (var i = 0u; i < BN; i++) {
          let v0 = subgroupShuffle(values[i], mine + j);
          let v1 = subgroupShuffle(values[i], mine + j + 1u);
          sums[4u * i] = fma(e1, vec4f(v1.x), fma(e0, vec4f(v0.x), sums[4u * i]));
          sums[4u * i + 1u] = fma(e1, vec4f(v1.y), fma(e0, vec4f(v0.y), sums[4u * i + 1u]));
          sums[4u * i + 2u] = fma(e1, vec4f(v1.z), fma(e0, vec4f(v0.z), sums[4u * i + 2u]));
          sums[4u * i + 3u] = fma(e1, vec4f(v1.w), fma(e0, vec4f(v0.w), sums[4u * i + 3u]));
        }
      }
    }
  }
  let block = (s * u32(g.kernel.x) + tap) * 16u + f;
  for (var i = 0u; i < 4u * BN; i++) {
    let at = (block * XC4 * 4u + b0 * 4u + i) * A4 + a;
    if (own < A4 && b0 * 4u + i < XC4 * 4u) {
      if (g.tiles.z > 0) { sums[i] += part[at]; }              // rows before these were added already
      part[at] = sums[i];
    }
  }
}
