// Winograd's convolution F(2x2, 3x3), products and inverse transform (see conv.winograd.wgsl for the formula), for adapters
// with subgroups. Eight lanes compute 8·REGS tiles for LC·4 output channels: LC lanes lie along channels, 8/LC along tiles.
// For one frequency at a time each lane keeps the products of P = REGS·LC tiles in registers. A lane loads the transformed
// input of REGS tiles, and shuffles hand each value to the lanes that multiply it: no workgroup memory, no barrier.
enable subgroups;
const CI4 = 16u;          // input channels / 4
const CO4 = 16u;          // output channels / 4
const LC = 8u;            // 8, 4 or 2
const REGS = 2u;
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const R = 1u;             // pixel shuffle of the result: (phase, channel) of R·R phases to R x R pixels
const LEAD = 0u;          // as in conv.winograd.wgsl; where it is not 0, LC divides PER
const SPAN = 4u;
struct Geometry {
  src: vec4i, dst: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  os: vec4i, oo: vec4i,
  taps: vec4i,
  tiles: vec4i,           // as in conv.winograd.wgsl
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> u: array<vec4f>;        // depth taps, 16, CI4·4, CO4
@group(0) @binding(2) var<storage, read> v: array<vec4f>;        // 16, D, rows, tiles of a row, CI4
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4f>;
const CO_BLOCKS = (CO4 + LC - 1u) / LC;
const PER = CO4 / (R * R);      // channels of a phase / 4
const P = REGS * LC;
const A = array(vec2f(1.0, 0.0), vec2f(1.0, 1.0), vec2f(1.0, -1.0), vec2f(0.0, -1.0));   // its rows

fn finish(sum: vec4f, o: u32, at: u32) -> vec4f {
  var y = sum;
  if (BIAS) { y += bias[o]; }
  if (RESIDUAL) { y += residual[at]; }
  if (LEAK != 1.0) { y = select(LEAK * y, y, y > vec4f()); }
  return y;
}

@compute @workgroup_size(8)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x / CO_BLOCKS * 8u * REGS;
  let o = min(group.x % CO_BLOCKS * LC + lane % LC, CO4 - 1u);   // lanes past the end repeat the last channels
  let mine = select(lane / LC * LC, 0u, LC == 8u);                                  // the first of the lanes that loaded this lane's tiles
  let pd = i32(group.y);
  let count = u32(g.tiles.w * g.tiles.y);
  var y: array<vec4f, 4u * P>;
  let ahead = (vec2u(o / PER / R, o / PER % R) + LEAD) / R;
  for (var s = 0u; s < SPAN * SPAN; s++) {
    let row = s / SPAN + ahead.x;
    let column = s % SPAN + ahead.y;
    let f = row * 4u + column;
    var m: array<vec4f, P>;
    for (var p = 0u; p < P; p++) { m[p] = vec4f(); }
    for (var a = 0; a < g.taps.x; a++) {
      let d = pd * g.is.x + g.off.x + a * g.off_step.x;
      if (d < 0 || d >= g.src.x) { continue; }
      let frame = (f * u32(g.src.x) + u32(d)) * count;
      let weights = (u32(a) * 16u + f) * CI4 * 4u * CO4 + o;
      for (var c = 0u; c < CI4; c++) {
        var values: array<vec4f, REGS>;
        for (var r = 0u; r < REGS; r++) { values[r] = v[(frame + min(first + r * 8u + lane, count - 1u)) * CI4 + c]; }
        let at = weights + c * 4u * CO4;
        let w0 = u[at];
        let w1 = u[at + CO4];
        let w2 = u[at + 2u * CO4];
        let w3 = u[at + 3u * CO4];
        for (var p = 0u; p < P; p++) {
          let d = subgroupShuffle(values[p / LC], mine + p % LC);
          m[p] = fma(w3, vec4f(d.w), fma(w2, vec4f(d.z), fma(w1, vec4f(d.y), fma(w0, vec4f(d.x), m[p]))));
        }
      }
    }
    let ai = A[row];                    // Aᵀ·m·A, as far as this frequency goes
    let aj = A[column];
    for (var q = 0u; q < 4u; q++) {
      let factor = ai[q / 2u] * aj[q % 2u];
      if (factor != 0.0) {
        for (var p = 0u; p < P; p++) { y[4u * p + q] = fma(vec4f(factor), m[p], y[4u * p + q]); }
      }
    }
  }
  var place: array<vec4i, REGS>;           // of the tiles this lane loaded: processors divide whole numbers lane by lane
  for (var r = 0u; r < REGS; r++) {
    let tile = i32(first + r * 8u + lane);
    let row = tile / g.tiles.y;
    let n = (g.tiles.z + row) / g.tiles.x;
    let h = select(g.grid.y, (g.tiles.z + row - n * g.tiles.x) * 2, tile < i32(count));
    place[r] = vec4i((n * g.dst.x + pd * g.os.x + g.oo.x) * g.dst.y, h, (tile - row * g.tiles.y) * 2, 0);
  }
  let phase = vec2i(i32(o / PER / R), i32(o / PER % R));
  for (var p = 0u; p < P; p++) {
    let at = subgroupShuffle(place[p / LC], mine + p % LC);
    for (var q = 0u; q < 4u; q++) {
      let to = at.yz + vec2i(i32(q / 2u), i32(q % 2u));
      if (all(to < g.grid.yz)) {
        let pixel = to * g.os.yz + g.oo.yz + phase;
        let i = u32((at.x + pixel.x) * g.dst.z + pixel.y) * PER + o % PER;
        out[i] = finish(y[4u * p + q], o, i);
      }
    }
  }
}
