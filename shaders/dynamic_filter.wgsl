// Dynamic upsampling filters: each pixel of the result has a filter of its own over K x K pixels of the small image,
//   out[R·y + i, R·x + j, c] = Σ_k f[(y, x), k·R² + i·R + j] · image[y + k / K - K / 2, x + k % K - K / 2, c],  zeros outside.
// With SOFTMAX f is the softmax of `filters` over the taps k. An invocation has a small pixel and a group of four of its R²
// filters, which is one load a tap where R is even.
const C4 = 1u;            // channels / 4
const K = 5;
const R = 4u;
const SOFTMAX = true;
const EVEN = true;        // R² is a multiple of four
alias V = vec4f;          // what `filters` holds: quads where R is even, else single numbers (f32)
const PITCH = 100u;       // V from the filters of a pixel to the next one's
const WORKGROUP = 64u;
struct Sizes { height: i32, width: i32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> image: array<vec4f>;
@group(0) @binding(2) var<storage, read> filters: array<V>;
@group(0) @binding(3) var<storage, read> stats: array<vec4f>;   // of each group of four: their largest taps, and 1 / Σ exp
@group(0) @binding(4) var<storage, read> y: array<vec4f>;       // the result
@group(0) @binding(5) var<storage, read> dy: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;
const TAPS = u32(K * K);
const SQUARE = R * R;
const GROUPS = (SQUARE + 3u) / 4u;
const FILTERS4 = (TAPS * SQUARE + 3u) / 4u;

struct Pixel { n: i32, y: i32, x: i32 }

fn pixel(p: u32) -> Pixel {
  let line = i32(p) / sizes.width;
  let n = line / sizes.height;
  return Pixel(n, line - n * sizes.height, i32(p) - line * sizes.width);
}

// Index of a neighbour in the small image, or -1 outside.
fn beside(at: Pixel, dy: i32, dx: i32) -> i32 {
  let y = at.y + dy;
  let x = at.x + dx;
  if (y < 0 || y >= sizes.height || x < 0 || x >= sizes.width) { return -1; }
  return (at.n * sizes.height + y) * sizes.width + x;
}

fn tap(at: Pixel, k: u32, c4: u32) -> vec4f {
  let p = beside(at, i32(k) / K - K / 2, i32(k) % K - K / 2);
  if (p < 0) { return vec4f(); }
  return image[u32(p) * C4 + c4];
}

// Where sub-pixel s of a small pixel lies in the result.
fn large(at: Pixel, s: u32) -> u32 {
  let row = u32(at.n * sizes.height + at.y) * R + s / R;
  return (row * u32(sizes.width) + u32(at.x)) * R + s % R;
}

// Tap k of a group of four filters.
fn four(p: u32, k: u32, group: u32) -> vec4f {
  if (EVEN) { return vec4f(filters[p * PITCH + k * GROUPS + group]); }
  var v = vec4f();
  for (var l = 0u; l < min(4u, SQUARE - group * 4u); l++) { v[l] = vec4f(filters[p * PITCH + k * SQUARE + group * 4u + l]).x; }
  return v;
}

fn largest(p: u32, group: u32) -> vec4f {
  var most = four(p, 0u, group);
  for (var k = 1u; k < TAPS; k++) { most = max(most, four(p, k, group)); }
  return most;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  let p = i / (GROUPS * C4);
  let group = i % GROUPS;
  let c4 = i / GROUPS % C4;
  if (p * SQUARE * C4 >= arrayLength(&out)) { return; }
  let at = pixel(p);
  var most = vec4f();
  if (SOFTMAX) { most = largest(p, group); }
  var total = vec4f(select(1.0, 0.0, SOFTMAX));
  var a = vec4f();
  var b = vec4f();
  var c = vec4f();
  var d = vec4f();
  for (var k = 0u; k < TAPS; k++) {
    var f = four(p, k, group);
    if (SOFTMAX) {
      f = exp(f - most);
      total += f;
    }
    let v = tap(at, k, c4);
    a = fma(vec4f(f.x), v, a);
    b = fma(vec4f(f.y), v, b);
    c = fma(vec4f(f.z), v, c);
    d = fma(vec4f(f.w), v, d);
  }
  let s = group * 4u;
  out[large(at, s) * C4 + c4] = a / total.x;
  if (s + 1u < SQUARE) { out[large(at, s + 1u) * C4 + c4] = b / total.y; }
  if (s + 2u < SQUARE) { out[large(at, s + 2u) * C4 + c4] = c / total.z; }
  if (s + 3u < SQUARE) { out[large(at, s + 3u) * C4 + c4] = d / total.w; }
}

@compute @workgroup_size(WORKGROUP)
fn measure(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (2u * i >= arrayLength(&out)) { return; }
  let most = largest(i / GROUPS, i % GROUPS);
  var total = vec4f();
  for (var k = 0u; k < TAPS; k++) { total += exp(four(i / GROUPS, k, i % GROUPS) - most); }
  out[2u * i] = most;
  out[2u * i + 1u] = 1.0 / total;
}

fn weights(p: u32, k: u32, group: u32) -> vec4f {
  let f = four(p, k, group);
  if (!SOFTMAX) { return f; }
  let i = 2u * (p * GROUPS + group);
  return exp(f - stats[i]) * stats[i + 1u];
}

// A pixel of the image gathers from the K x K pixels whose filters reach it.
@compute @workgroup_size(WORKGROUP)
fn image_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let to = pixel(i / C4);
  var sum = vec4f();
  for (var k = 0u; k < TAPS; k++) {
    let p = beside(to, K / 2 - i32(k) / K, K / 2 - i32(k) % K);
    if (p < 0) { continue; }
    let at = pixel(u32(p));
    for (var group = 0u; group < GROUPS; group++) {
      let w = weights(u32(p), k, group);
      for (var l = 0u; l < min(4u, SQUARE - group * 4u); l++) {
        sum = fma(vec4f(w[l]), dy[large(at, group * 4u + l) * C4 + i % C4], sum);
      }
    }
  }
  out[i] = sum;
}

// Of f: <dy, image> over channels. Of the softmax's input: f · (that - Σ_k f · that), whose sum over taps is <dy, y>.
@compute @workgroup_size(WORKGROUP)
fn filter_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let p = i / FILTERS4;
  let at = pixel(p);
  var gradient = vec4f();
  for (var l = 0u; l < 4u; l++) {
    let j = i % FILTERS4 * 4u + l;
    if (j >= TAPS * SQUARE) { break; }
    let k = j / SQUARE;
    let s = j % SQUARE;
    var g = 0.0;
    for (var c4 = 0u; c4 < C4; c4++) {
      let q = large(at, s) * C4 + c4;
      g += dot(dy[q], tap(at, k, c4));
      if (SOFTMAX) { g -= dot(dy[q], y[q]); }
    }
    if (SOFTMAX) { g *= weights(p, k, s / 4u)[s % 4u]; }
    gradient[l] = g;
  }
  out[i] = gradient;
}
