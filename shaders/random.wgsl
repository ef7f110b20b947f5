// Random numbers without state: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011), word for word engine/random.ts.
// key = seed, counter = (block, stream); block b holds words 4b to 4b + 3 of the sequence that `Random` draws.
const WORKGROUP = 64u;
struct Sizes {
  inner: u32, rows: u32, channels: u32,                          // of out, as in layout.wgsl
  stride_outer: u32, stride_inner: u32, stride_channel: u32,
  seed_low: u32, seed_high: u32, stream_low: u32, stream_high: u32,
  low: f32, high: f32,                                           // uniform: the range; normal: mean and deviation
  threshold: u32, scale: f32,                                    // dropout: what the top 24 bits must reach, 1 / (1 - p)
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> words_out: array<vec4u>;

// High half of a 32 x 32 bit product: WGSL has no 64-bit integers.
fn multiply_high(a: u32, b: u32) -> u32 {
  let ah = a >> 16u;  let al = a & 0xffffu;
  let bh = b >> 16u;  let bl = b & 0xffffu;
  let middle = ah * bl + ((al * bl) >> 16u);
  let carried = al * bh + (middle & 0xffffu);
  return ah * bh + (middle >> 16u) + (carried >> 16u);
}

fn words(block: u32) -> vec4u {
  var c = vec4u(block, 0u, sizes.stream_low, sizes.stream_high);
  var k = vec2u(sizes.seed_low, sizes.seed_high);
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiply_high(0xd2511f53u, c.x);
    let high1 = multiply_high(0xcd9e8d57u, c.z);
    c = vec4u(high1 ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// The top 24 bits as a float in [0, 1): exact.
fn unit(word: u32) -> f32 { return f32(word >> 8u) * 0x1p-24; }

struct Place { first: u32, lanes: u32 }   // as in layout.wgsl: where four channels lie in row-major order

fn place(i: u32) -> Place {
  let c4 = (sizes.channels + 3u) / 4u;
  let c = i % c4 * 4u;
  let p = i / c4 % sizes.rows;
  let first = i / c4 / sizes.rows * sizes.stride_outer + p * sizes.stride_inner + c * sizes.stride_channel;
  return Place(first, select(0u, min(4u, sizes.channels - c), p < sizes.inner));
}

// Element k in row-major order takes word k.
@compute @workgroup_size(WORKGROUP)
fn uniform_(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let at = place(i);
  var v = vec4f();
  for (var l = 0u; l < at.lanes; l++) {
    let k = at.first + l * sizes.stride_channel;
    v[l] = sizes.low + unit(words(k / 4u)[k % 4u]) * (sizes.high - sizes.low);
  }
  out[i] = v;
}

// Box and Muller 1958; element k takes words 2k and 2k + 1.
@compute @workgroup_size(WORKGROUP)
fn normal(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let at = place(i);
  var v = vec4f();
  for (var l = 0u; l < at.lanes; l++) {
    let k = at.first + l * sizes.stride_channel;
    let block = words(k / 2u);
    let pair = select(block.xy, block.zw, k % 2u == 1u);
    let radius = sqrt(-2.0 * log(1.0 - unit(pair.x)));
    v[l] = sizes.low + sizes.high * radius * cos(6.283185307179586 * unit(pair.y));
  }
  out[i] = v;
}

// Quad i in memory takes block i, so that one block serves four channels. The same mask goes over x and over dy.
@compute @workgroup_size(WORKGROUP)
fn dropout(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let kept = (words(i) >> vec4u(8u)) >= vec4u(sizes.threshold);
  out[i] = select(vec4f(), x[i] * sizes.scale, kept);
}

// The words themselves.
@compute @workgroup_size(WORKGROUP)
fn raw(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&words_out)) { return; }
  words_out[i] = words(i);
}
