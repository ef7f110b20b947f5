// Weight gradient of a convolution, one group (see conv_dw.direct.wgsl for the formula).
// A workgroup computes, for one chunk of rows, TAPS_H rows of TAPS taps each between B4·4 channels of x and LANES·V channels
// of dense. Each lane loads its own channels of dense once a position and multiplies them with values of x that all lanes
// read alike from workgroup memory; TAPS_H·TAPS·B4·4 sums of a V stay in its registers. TAPS_H is 1, or all rows of the
// filter where x has so few channels that one row would give each load of dense too little to do.
alias V = vec4f;          // channels of dense of a lane: vec4f, vec2f or f32
const REAL = 4u;          // channels in a vec4 of x: 4, or fewer where x has fewer
const XC4 = 16u;          // channels of x / 4
const AV = 16u;           // channels of dense / width of V
const LANES = 16u;
const B4 = 2u;            // divides XC4
const TAPS = 3u;          // along W
const TAPS_H = 1u;        // rows of taps at a time; divides the taps along H
const P = 24u;            // positions of a row at a time
const TILE = 26u;         // (P - 1)·is + (TAPS - 1)·off_step + 1
const CHUNKS = 1u;
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
struct Geometry {
  src: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  kernel: vec4i,
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> dense: array<V>;
@group(0) @binding(3) var<storage, read> slope: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> part: array<V>;
const A_BLOCKS = (AV + LANES - 1u) / LANES;
const ROW = TILE * B4;
var<workgroup> tile: array<vec4f, TAPS_H * ROW>;

fn load(i: u32, c4: u32) -> vec4f {
  let v = x[i];
  if (SLOPES == 0u) { return v; }
  return v * select(select(vec4f(slope[0].x), slope[c4], SLOPES == 1u), vec4f(1.0), v > vec4f());
}

@compute @workgroup_size(LANES)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let steps_h = g.kernel.y / i32(TAPS_H);
  let k = vec2i(i32(group.x) / steps_h, i32(group.x) % steps_h * i32(TAPS_H));
  let b4 = group.y / A_BLOCKS * B4;
  let a = min(group.y % A_BLOCKS * LANES + lane, AV - 1u);      // lanes past the end repeat the last channels
  let chunk = group.z;
  let shift = g.off.xy + k * g.off_step.xy;
  let rows = u32(g.src.w * g.grid.x * g.grid.y);
  var sums: array<V, TAPS_H * TAPS * B4 * 4u>;
  for (var row = chunk * rows / CHUNKS; row < (chunk + 1u) * rows / CHUNKS; row++) {
    let h = i32(row) % g.grid.y * g.is.y + shift.y;
    let nd = i32(row) / g.grid.y;
    let d = nd % g.grid.x * g.is.x + shift.x;
    if (d < 0 || d >= g.src.x) { continue; }
    if (TAPS_H == 1u && (h < 0 || h >= g.src.y)) { continue; }
    let plane = (nd / g.grid.x * g.src.x + d) * g.src.y;
    for (var w0 = 0; w0 < g.grid.z; w0 += i32(P)) {
      let first = w0 * g.is.z + g.off.z;
      workgroupBarrier();
      for (var i = lane; i < TAPS_H * ROW; i += LANES) {
        let v = first + i32(i % ROW / B4);
        let hv = h + i32(i / ROW) * g.off_step.y;
        var value = vec4f();
        if (v >= 0 && v < g.src.z && hv >= 0 && hv < g.src.y) {
          value = load(u32((plane + hv) * g.src.z + v) * XC4 + b4 + i % B4, b4 + i % B4);
        }
        tile[i] = value;
      }
      workgroupBarrier();
      let last = min(g.grid.z - w0, i32(P));
      for (var p = 0; p < last; p++) {
        let v = dense[(row * u32(g.grid.z) + u32(w0 + p)) * AV + a];
        for (var t = 0u; t < TAPS_H * TAPS; t++) {
          let at = t / TAPS * ROW + (u32(p * g.is.z) + t % TAPS * u32(g.off_step.z)) * B4;
          for (var b = 0u; b < B4; b++) {
            let u = tile[at + b];
            let s = (t * B4 + b) * 4u;
            sums[s] = fma(v, V(u.x), sums[s]);
            if (REAL > 1u) { sums[s + 1u] = fma(v, V(u.y), sums[s + 1u]); }
            if (REAL > 2u) { sums[s + 2u] = fma(v, V(u.z), sums[s + 2u]); }
            if (REAL > 3u) { sums[s + 3u] = fma(v, V(u.w), sums[s + 3u]); }
          }
        }
      }
    }
  }
  let taps = u32(g.kernel.x * g.kernel.y) * TAPS;
  let first_tap = u32(k.x * g.kernel.y + k.y) * TAPS;
  for (var t = 0u; t < TAPS_H * TAPS; t++) {
    for (var b = 0u; b < B4 * 4u; b++) {
      let tap = chunk * taps + first_tap + t;
      part[(tap * XC4 * 4u + b4 * 4u + b) * AV + a] = sums[t * B4 * 4u + b];
    }
  }
}
