// Weight gradient of a convolution with Winograd's tiles: what F(2x2, 3x3) of conv.winograd.wgsl computes is linear in g, so
// its gradient is the same formula read backwards, dW = Gᵀ·[Σ_tiles (A·dy·Aᵀ) ⊙ (Bᵀ·x·B)]·G. It takes 16 products for a tile
// of 2 x 2 positions and a pair of channels instead of 36. Bᵀ·x·B comes from conv.winograd.wgsl; here `dense_transform` makes
// A·dy·Aᵀ, and `filter_gradient` adds up the parts of the sum over tiles and returns to the filter's 3 x 3.
const XC4 = 16u;          // channels of x / 4
const A4 = 16u;           // channels of dense / 4
const PARTS = 1u;         // of the sum over tiles
const WORKGROUP = 64u;
struct Geometry {
  src: vec4i, grid: vec4i,
  kernel: vec4i,
  tiles: vec4i,           // as in conv.winograd.wgsl
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> dense: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> e: array<vec4f>;          // 16, D of dense, rows, tiles of a row, A4
@group(0) @binding(3) var<storage, read> part: array<vec4f>;             // parts, depth taps, 16, XC4·4, A4
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;        // taps, XC4·4, A4
const PAIRS = XC4 * 4u * A4;

@compute @workgroup_size(WORKGROUP)
fn dense_transform(@builtin(global_invocation_id) id: vec3u) {
  let column = i32(id.x / A4);
  if (column >= g.tiles.y) { return; }
  let r = g.tiles.z + i32(id.y);
  let n = r / g.tiles.x;
  let h = (r - n * g.tiles.x) * 2;
  let row = ((n * g.grid.x + i32(id.z)) * g.grid.y + h) * g.grid.z + column * 2;
  let at = u32(row) * A4 + id.x % A4;
  let below = u32(g.grid.z) * A4;
  let right = column * 2 + 1 < g.grid.z;
  var d: array<vec4f, 4>;
  d[0] = dense[at];
  if (right) { d[1] = dense[at + A4]; }
  if (h + 1 < g.grid.y) {
    d[2] = dense[at + below];
    if (right) { d[3] = dense[at + below + A4]; }
  }
  var rows: array<vec4f, 8>;              // dy·Aᵀ
  for (var b = 0u; b < 2u; b++) {
    rows[b * 4u] = d[b * 2u];
    rows[b * 4u + 1u] = d[b * 2u] + d[b * 2u + 1u];
    rows[b * 4u + 2u] = d[b * 2u] - d[b * 2u + 1u];
    rows[b * 4u + 3u] = -d[b * 2u + 1u];
  }
  let step = u32(g.grid.x * g.tiles.w * g.tiles.y) * A4;
  let i = (id.z * u32(g.tiles.w) + id.y) * u32(g.tiles.y) * A4 + id.x;
  for (var c = 0u; c < 4u; c++) {
    e[i + c * step] = rows[c];
    e[i + (4u + c) * step] = rows[c] + rows[4u + c];
    e[i + (8u + c) * step] = rows[c] - rows[4u + c];
    e[i + (12u + c) * step] = -rows[4u + c];
  }
}

@compute @workgroup_size(WORKGROUP)
fn filter_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  let tap = i / PAIRS;
  if (tap >= u32(g.kernel.x)) { return; }
  var rows: array<vec4f, 12>;             // m·G, and then Gᵀ·m·G
  for (var b = 0u; b < 4u; b++) {
    var m: array<vec4f, 4>;
    for (var c = 0u; c < 4u; c++) {
      m[c] = vec4f();
      for (var s = 0u; s < PARTS; s++) {
        m[c] += part[((s * u32(g.kernel.x) + tap) * 16u + b * 4u + c) * PAIRS + i % PAIRS];
      }
    }
    rows[b * 3u] = m[0] + 0.5 * (m[1] + m[2]);
    rows[b * 3u + 1u] = 0.5 * (m[1] - m[2]);
    rows[b * 3u + 2u] = 0.5 * (m[1] + m[2]) + m[3];
  }
  let at = tap * 9u * PAIRS + i % PAIRS;
  for (var c = 0u; c < 3u; c++) {
    out[at + c * PAIRS] = rows[c] + 0.5 * (rows[3u + c] + rows[6u + c]);
    out[at + (3u + c) * PAIRS] = 0.5 * (rows[3u + c] - rows[6u + c]);
    out[at + (6u + c) * PAIRS] = 0.5 * (rows[3u + c] + rows[6u + c]) + rows[9u + c];
  }
}
