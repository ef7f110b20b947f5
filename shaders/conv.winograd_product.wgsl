// Winograd's convolution F(2x2, 3x3): products and inverse transform (see conv.winograd.wgsl for the formula).
enable subgroups;
alias V = vec4f;          // output channels of a lane: vec4f, vec2f or f32
const CI4 = 16u;          // input channels / 4
const COV = 16u;          // output channels / width of V
const LANES = 16u;
const STEPS = 2u;         // tiles of a workgroup / 8
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const R = 1u;             // pixel shuffle of the result: (phase, channel) of R·R phases to R x R pixels
struct Geometry {
  src: vec4i, dst: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  os: vec4i, oo: vec4i,
  taps: vec4i,
  tiles: vec4i,
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> u: array<V>;            // depth taps, 16, CI4·4, COV
@group(0) @binding(2) var<storage, read> v: array<vec4f>;        // 16, D, rows, tiles of a row, CI4
@group(0) @binding(3) var<storage, read> bias: array<V>;
@group(0) @binding(4) var<storage, read> residual: array<V>;
@group(0) @binding(5) var<storage, read_write> out: array<V>;
const CO_BLOCKS = (COV + LANES - 1u) / LANES;
const PER = COV / (R * R);      // channels of a phase, in V
const T = STEPS * 8u;

fn finish(sum: V, o: u32, at: u32) -> V {
  var y = sum;
  if (BIAS) { y += bias[o]; }
  if (RESIDUAL) { y += residual[at]; }
  if (LEAK != 1.0) { y = select(LEAK * y, y, y > V()); }
  return y;
}

@compute @workgroup_size(LANES)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) sub: u32) {
  let first = group.x / CO_BLOCKS * T;
  let o = min(group.x % CO_BLOCKS * LANES + lane, COV - 1u);   // lanes past the end repeat the last channels
  let pd = i32(group.y);
  let count = u32(g.tiles.w * g.tiles.y);
  var y: array<V, 4u * T>;
  for (var f = 0u; f < 16u; f++) {
    var m: array<V, T>;
    for (var p = 0u; p < T; p++) { m[p] = V(); }
    for (var a = 0; a < g.taps.x; a++) {
      let d = pd * g.is.x + g.off.x + a * g.off_step.x;
      if (d < 0 || d >= g.src.x) { continue; }
      let frame = (f * u32(g.src.x) + u32(d)) * count;
      let weights = (u32(a) * 16u + f) * CI4 * 4u * COV + o;
      for (var c = 0u; c < CI4; c++) {
        let at = weights + c * 4u * COV;
        let w0 = u[at];
        let w1 = u[at + COV];
        let w2 = u[at + 2u * COV];
        let w3 = u[at + 3u * COV];
        for (var s = 0u; s < STEPS; s++) {
          let mine = v[(frame + min(first + s * 8u + sub % 8u, count - 1u)) * CI4 + c];
          let p = s * 8u;
          m[p] = accumulate(m[p], w0, w1, w2, w3, subgroupBroadcast(mine, 0u));
          m[p + 1u] = accumulate(m[p + 1u], w0, w1, w2, w3, subgroupBroadcast(mine, 1u));
          m[p + 2u] = accumulate(m[p + 2u], w0, w1, w2, w3, subgroupBroadcast(mine, 2u));
          m[p + 3u] = accumulate(m[p + 3u], w0, w1, w2, w3, subgroupBroadcast(mine, 3u));
          m[p + 4u] = accumulate(m[p + 4u], w0, w1, w2, w3, subgroupBroadcast(mine, 4u));
          m[p + 5u] = accumulate(m[p + 5u], w0, w1, w2, w3, subgroupBroadcast(mine, 5u));
          m[p + 6u] = accumulate(m[p + 6u], w0, w1, w2, w3, subgroupBroadcast(mine, 6u));
          m[p + 7u] = accumulate(m[p + 7u], w0, w1, w2, w3, subgroupBroadcast(mine, 7u));
        }
      }
    }
    // Aᵀ·m·A, one frequency at a time: row i of m counts in output rows by column i of Aᵀ.
    let fi = f / 4u;
    let fj = f % 4u;
    let i0 = select(1.0, 0.0, fi == 3u);
    let i1 = select(select(-1.0, 1.0, fi == 1u), 0.0, fi == 0u);
    let j0 = select(1.0, 0.0, fj == 3u);
    let j1 = select(select(-1.0, 1.0, fj == 1u), 0.0, fj == 0u);
    for (var p = 0u; p < T; p++) {
      if (i0 * j0 != 0.0) { y[4u * p] += i0 * j0 * m[p]; }
      if (i0 * j1 != 0.0) { y[4u * p + 1u] += i0 * j1 * m[p]; }
      if (i1 * j0 != 0.0) { y[4u * p + 2u] += i1 * j0 * m[p]; }
      if (i1 * j1 != 0.0) { y[4u * p + 3u] += i1 * j1 * m[p]; }
    }
  }
  let phase = vec2i(i32(o / PER / R), i32(o / PER % R));
  for (var p = 0u; p < T; p++) {
    let tile = i32(first + p);
    let r = g.tiles.z + tile / g.tiles.y;
    let n = r / g.tiles.x;
    let h = r % g.tiles.x * 2;
    let w = tile % g.tiles.y * 2;
    let plane = (n * g.dst.x + pd * g.os.x + g.oo.x) * g.dst.y;
    for (var q = 0u; q < 4u; q++) {
      let at_tile = vec2i(h + i32(q / 2u), w + i32(q % 2u));
      if (tile < i32(count) && all(at_tile < g.grid.yz)) {
        let at_out = at_tile * g.os.yz + g.oo.yz + phase;
        let at = u32((plane + at_out.x) * g.dst.z + at_out.y) * PER + o % PER;
        out[at] = finish(y[4u * p + q], o, at);
      }
    }
  }
}

fn accumulate(sum: V, w0: V, w1: V, w2: V, w3: V, v: vec4f) -> V {
  return fma(w3, V(v.w), fma(w2, V(v.z), fma(w1, V(v.y), fma(w0, V(v.x), sum))));
}
