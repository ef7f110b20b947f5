// Winograd's convolution F(2x2, 3x3), the transforms of its operands: Lavin & Gray 2016, "Fast algorithms for convolutional
// neural networks", section 4.1. A tile of 2 x 2 outputs sees 4 x 4 inputs d, and Y = Aᵀ[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]A takes 16
// products for each pair of channels instead of 36:
//   Bᵀ = 1  0 -1  0     G = 1    0    0     Aᵀ = 1  1  1  0
//        0  1  1  0         1/2  1/2  1/2        0  1 -1 -1
//        0 -1  1  0         1/2 -1/2  1/2
//        0  1  0 -1         0    0    1
// Here `filter` makes G·g·Gᵀ and `input` makes Bᵀ·d·B; what stands at one of the 16 places (a frequency) lies together, so
// that conv.winograd_product.wgsl multiplies matrices. The depth taps stay a plain sum.
// Filters of 2 x 2 taps before a pixel shuffle whose phases read on from `ahead` are filters of 3 x 3 with zeros before or behind.
// Then row 3 or row 0 of G·g is zero, and columns alike: SPAN x SPAN = 9 products are left, from `ahead` on.
const CI4 = 16u;          // input channels / 4
const CO4 = 16u;          // output channels / 4
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
const R = 1u;             // pixel shuffle of the result: (phase, channel) of R·R phases to R x R pixels
const LEAD = 0u;          // phase p of a shuffle reads x from ahead = (p + LEAD) / R further on
const SPAN = 4u;          // 3 where filters have two taps
const ACROSS = 2u;        // neighbouring tiles whose input an invocation transforms
const WORKGROUP = 64u;
struct Geometry {
  src: vec4i,             // D, H, W, N of x
  off: vec4i,             // where the first tile's inputs begin
  k: vec4i, k_step: vec4i,
  kernel: vec4i,
  tiles: vec4i,           // tiles along H of a picture, along W; first row of tiles over the batch, rows at work
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;                // taps, CI4·4, CO4
@group(0) @binding(3) var<storage, read> slope: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> u: array<vec4f>;          // depth taps, 16, CI4·4, CO4
@group(0) @binding(5) var<storage, read_write> v: array<vec4f>;          // 16, D, rows, tiles of a row, CI4

// What the PReLU of x multiplies values below zero with.
fn slopes(c4: u32) -> vec4f {
  if (SLOPES == 0u) { return vec4f(1.0); }
  return select(vec4f(slope[0].x), slope[c4], SLOPES == 1u);
}

// The filter's value at a tap of three.
fn tap(depth: i32, at: vec2i, pair: u32) -> vec4f {
  let k = g.k.xyz + vec3i(depth, at) * g.k_step.xyz;
  let i = u32((k.x * g.kernel.y + k.y) * g.kernel.z + k.z) * CI4 * 4u * CO4 + pair;
  if (SPAN == 4u) { return w[i]; }
  let there = all(at >= vec2i()) && all(at < vec2i(2));
  return select(vec4f(), w[select(0u, i, there)], there);
}

@compute @workgroup_size(WORKGROUP)
fn filter_transform(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  let pairs = CI4 * 4u * CO4;
  if (i >= arrayLength(&u) / 16u) { return; }
  let a = i32(i / pairs);
  let phase = i % CO4 / (CO4 / (R * R));
  let first = -vec2i((vec2u(phase / R, phase % R) + LEAD) / R);
  var rows: array<vec4f, 12>;             // g·Gᵀ
  for (var b = 0u; b < 3u; b++) {
    let g0 = tap(a, first + vec2i(i32(b), 0), i % pairs);
    let g1 = tap(a, first + vec2i(i32(b), 1), i % pairs);
    let g2 = tap(a, first + vec2i(i32(b), 2), i % pairs);
    rows[b * 4u] = g0;
    rows[b * 4u + 1u] = 0.5 * (g0 + g2 + g1);
    rows[b * 4u + 2u] = 0.5 * (g0 + g2 - g1);
    rows[b * 4u + 3u] = g2;
  }
  let at = u32(a) * 16u * pairs + i % pairs;
  for (var c = 0u; c < 4u; c++) {
    let g0 = rows[c];
    let g1 = rows[4u + c];
    let g2 = rows[8u + c];
    u[at + c * pairs] = g0;
    u[at + (4u + c) * pairs] = 0.5 * (g0 + g2 + g1);
    u[at + (8u + c) * pairs] = 0.5 * (g0 + g2 - g1);
    u[at + (12u + c) * pairs] = g2;
  }
}

@compute @workgroup_size(WORKGROUP)
fn input_transform(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x / CI4 * ACROSS;
  let columns = u32(g.tiles.y);
  if (column >= columns) { return; }
  let c4 = id.x % CI4;
  let r = g.tiles.z + i32(id.y);
  let n = r / g.tiles.x;
  let h = (r - n * g.tiles.x) * 2 + g.off.y;
  let w0 = i32(column) * 2 + g.off.z;
  let plane = (n * g.src.x + i32(id.z)) * g.src.y;
  let leak = slopes(c4);
  var rows: array<vec4f, 16u * ACROSS>;   // d·B
  for (var b = 0u; b < 4u; b++) {
    var d: array<vec4f, 2u * ACROSS + 2u>;
    for (var c = 0u; c < 2u * ACROSS + 2u; c++) {
      let at = vec2i(h + i32(b), w0 + i32(c));
      d[c] = vec4f();
      if (all(at >= vec2i()) && all(at < g.src.yz)) { d[c] = x[u32((plane + at.x) * g.src.z + at.y) * CI4 + c4]; }
      if (SLOPES != 0u) { d[c] *= select(leak, vec4f(1.0), d[c] > vec4f()); }
    }
    for (var t = 0u; t < ACROSS; t++) {
      let i = 16u * t + 4u * b;
      rows[i] = d[2u * t] - d[2u * t + 2u];
      rows[i + 1u] = d[2u * t + 1u] + d[2u * t + 2u];
      rows[i + 2u] = d[2u * t + 2u] - d[2u * t + 1u];
      rows[i + 3u] = d[2u * t + 1u] - d[2u * t + 3u];
    }
  }
  let step = u32(g.src.x * g.tiles.w) * columns * CI4;
  for (var t = 0u; t < ACROSS; t++) {
    if (column + t < columns) {
      let i = ((id.z * u32(g.tiles.w) + id.y) * columns + column + t) * CI4 + c4;
      for (var c = 0u; c < 4u; c++) {
        let j = 16u * t + c;
        v[i + c * step] = rows[j] - rows[j + 8u];
        v[i + (4u + c) * step] = rows[j + 4u] + rows[j + 8u];
        v[i + (8u + c) * step] = rows[j + 8u] - rows[j + 4u];
        v[i + (12u + c) * step] = rows[j + 4u] - rows[j + 12u];
      }
    }
  }
}
