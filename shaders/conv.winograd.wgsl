// Winograd's convolution F(2x2, 3x3), the transforms of its operands: Lavin & Gray 2016, "Fast algorithms for convolutional
// neural networks", section 4.1. A tile of 2 x 2 outputs sees 4 x 4 inputs d, and Y = Aᵀ[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]A takes 16
// products for each pair of channels instead of 36:
//   Bᵀ = 1  0 -1  0     G = 1    0    0     Aᵀ = 1  1  1  0
//        0  1  1  0         1/2  1/2  1/2        0  1 -1 -1
//        0 -1  1  0         1/2 -1/2  1/2
//        0  1  0 -1         0    0    1
// Here `filter` makes G·g·Gᵀ and `input` makes Bᵀ·d·B; what stands at one of the 16 places (a frequency) lies together, so
// that conv.winograd_product.wgsl multiplies matrices. The depth taps stay a plain sum.
const CI4 = 16u;          // input channels / 4
const CO4 = 16u;          // output channels / 4
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
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

@compute @workgroup_size(WORKGROUP)
fn filter_transform(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  let pairs = CI4 * 4u * CO4;
  if (i >= arrayLength(&u) / 16u) { return; }
  let a = i32(i / pairs);
  var rows: array<vec4f, 12>;             // g·Gᵀ
  for (var b = 0u; b < 3u; b++) {
    let tap = ((g.k.x + a * g.k_step.x) * g.kernel.y + g.k.y + i32(b) * g.k_step.y) * g.kernel.z + g.k.z;
    let at = u32(tap) * pairs + i % pairs;
    let g0 = w[at];
    let g1 = w[u32(i32(at) + g.k_step.z * i32(pairs))];
    let g2 = w[u32(i32(at) + 2 * g.k_step.z * i32(pairs))];
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
