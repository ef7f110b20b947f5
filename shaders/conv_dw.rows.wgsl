// Weight gradient of a convolution, one group (see conv_dw.direct.wgsl for the formula).
// A workgroup computes, for one chunk of rows, all TAPS taps of one row of the filter between B4·4 channels of x and
// LANES·V channels of dense. Each lane loads its own channels of dense once a position and multiplies them with
// values of x that all lanes read alike from workgroup memory; TAPS·B4·4 sums of a V stay in its registers.
alias V = vec4f;          // channels of dense of a lane: vec4f, vec2f or f32
const REAL = 4u;          // channels in a vec4 of x: 4, or fewer where x has fewer
const XC4 = 16u;          // channels of x / 4
const AV = 16u;           // channels of dense / width of V
const LANES = 16u;
const B4 = 2u;            // divides XC4
const TAPS = 3u;          // along W
const P = 24u;            // positions of a row at a time
const TILE = 26u;         // (P - 1)·is + (TAPS - 1)·off_step + 1
const CHUNKS = 1u;
struct Geometry {
  src: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  kernel: vec4i,
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> dense: array<V>;
@group(0) @binding(3) var<storage, read_write> part: array<V>;
const A_BLOCKS = (AV + LANES - 1u) / LANES;
var<workgroup> tile: array<vec4f, TILE * B4>;

@compute @workgroup_size(LANES)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let k = vec2i(i32(group.x) / g.kernel.y, i32(group.x) % g.kernel.y);
  let b4 = group.y / A_BLOCKS * B4;
  let a = min(group.y % A_BLOCKS * LANES + lane, AV - 1u);     // lanes past the end repeat the last channels
  let chunk = group.z;
  let shift = g.off.xy + k * g.off_step.xy;
  let rows = u32(g.src.w * g.grid.x * g.grid.y);
  var sums: array<V, TAPS * B4 * 4u>;
  for (var row = chunk * rows / CHUNKS; row < (chunk + 1u) * rows / CHUNKS; row++) {
    let h = i32(row) % g.grid.y * g.is.y + shift.y;
    let nd = i32(row) / g.grid.y;
    let d = nd % g.grid.x * g.is.x + shift.x;
    if (d < 0 || d >= g.src.x || h < 0 || h >= g.src.y) { continue; }
    let row_in = ((nd / g.grid.x * g.src.x + d) * g.src.y + h) * g.src.z;
    for (var w0 = 0; w0 < g.grid.z; w0 += i32(P)) {
      let first = w0 * g.is.z + g.off.z;
      workgroupBarrier();
      for (var i = lane; i < TILE * B4; i += LANES) {
        let v = first + i32(i / B4);
        var value = vec4f();
        if (v >= 0 && v < g.src.z) { value = x[u32(row_in + v) * XC4 + b4 + i % B4]; }
        tile[i] = value;
      }
      workgroupBarrier();
      let last = min(g.grid.z - w0, i32(P));
      for (var p = 0; p < last; p++) {
        let v = dense[(row * u32(g.grid.z) + u32(w0 + p)) * AV + a];
        for (var c = 0u; c < TAPS; c++) {
          let at = (u32(p * g.is.z) + c * u32(g.off_step.z)) * B4;
          for (var b = 0u; b < B4; b++) {
            let u = tile[at + b];
            let s = (c * B4 + b) * 4u;
            sums[s] = fma(v, V(u.x), sums[s]);
            if (REAL > 1u) { sums[s + 1u] = fma(v, V(u.y), sums[s + 1u]); }
            if (REAL > 2u) { sums[s + 2u] = fma(v, V(u.z), sums[s + 2u]); }
            if (REAL > 3u) { sums[s + 3u] = fma(v, V(u.w), sums[s + 3u]); }
          }
        }
      }
    }
  }
  let rows_of_taps = u32(g.kernel.x * g.kernel.y);
  for (var c = 0u; c < TAPS; c++) {
    for (var b = 0u; b < B4 * 4u; b++) {
      let tap = (chunk * rows_of_taps + group.x) * TAPS + c;
      part[(tap * XC4 * 4u + b4 * 4u + b) * AV + a] = sums[c * B4 * 4u + b];
    }
  }
}
