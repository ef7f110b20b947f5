// Backward warping: y(p) = image(p + flow(p)), bilinear; flow.x points right and flow.y down, in pixels. The gradient of the
// flow gathers, as the image does going forward. The gradient of the image scatters: many pixels may come from one place. It
// adds whole numbers, whose sum does not depend on the order: dy in fixed point, 64 bits in two words.
const C4 = 1u;            // channels / 4
const BORDER = false;     // outside the image: its nearest pixel, else zeros
const WORKGROUP = 64u;
struct Sizes { height: i32, width: i32,
  bits: i32 }             // the largest |dy| becomes a whole number of so many bits
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> image: array<vec4f>;
@group(0) @binding(2) var<storage, read> flow: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> words: array<atomic<u32>>;   // low and high word of each sum
@group(0) @binding(6) var<storage, read_write> words4: array<vec4u>;        // the same
@group(0) @binding(7) var<storage, read_write> largest: atomic<u32>;        // bits of max |dy|

// The four pixels around a place: the first of them, how far the place lies beyond it, and whether it moves with the flow.
struct Axis { first: i32, t: f32, slope: f32 }
struct Place { plane: i32, x: Axis, y: Axis }

// Position and flow are not added as floats: far from the origin that would cost digits of t.
fn along(at: i32, shift: f32, last: i32) -> Axis {
  let whole = floor(shift);
  let first = at + i32(clamp(whole, -1e7, 1e7));
  let t = shift - whole;
  if (BORDER && (first < 0 || (first == 0 && t == 0.0))) { return Axis(0, 0.0, 0.0); }
  if (BORDER && first >= last) { return Axis(last, 0.0, 0.0); }
  return Axis(first, t, 1.0);
}

fn place(p: i32) -> Place {
  let pixels = sizes.width * sizes.height;
  let plane = p / pixels * pixels;
  let y = (p - plane) / sizes.width;
  let f = flow[p];
  return Place(plane, along(p - plane - y * sizes.width, f.x, sizes.width - 1), along(y, f.y, sizes.height - 1));
}

// Index of a pixel (i, j) beside the first one, or -1 outside the image.
fn pixel(at: Place, i: i32, j: i32) -> i32 {
  let x = at.x.first + i;
  let y = at.y.first + j;
  if (x < 0 || x >= sizes.width || y < 0 || y >= sizes.height) { return -1; }
  return at.plane + y * sizes.width + x;
}

fn load(pixel: i32, c4: u32) -> vec4f {
  if (pixel < 0) { return vec4f(); }
  return image[u32(pixel) * C4 + c4];
}

@compute @workgroup_size(WORKGROUP)
fn gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let at = place(i32(i / C4));
  let c4 = i % C4;
  let top = mix(load(pixel(at, 0, 0), c4), load(pixel(at, 1, 0), c4), at.x.t);
  let bottom = mix(load(pixel(at, 0, 1), c4), load(pixel(at, 1, 1), c4), at.x.t);
  out[i] = mix(top, bottom, at.y.t);
}

@compute @workgroup_size(WORKGROUP)
fn flow_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let p = id.x + id.y * grid.x * WORKGROUP;
  if (p >= arrayLength(&out)) { return; }
  let at = place(i32(p));
  let pixels = vec4i(pixel(at, 0, 0), pixel(at, 1, 0), pixel(at, 0, 1), pixel(at, 1, 1));
  var d = vec2f();
  for (var c4 = 0u; c4 < C4; c4++) {
    let g = dy[p * C4 + c4];
    let nw = load(pixels.x, c4);
    let ne = load(pixels.y, c4);
    let sw = load(pixels.z, c4);
    let se = load(pixels.w, c4);
    d += vec2f(dot(g, mix(ne - nw, se - sw, at.y.t)), dot(g, mix(sw - nw, se - ne, at.x.t)));
  }
  out[p] = vec4f(at.x.slope * d.x, at.y.slope * d.y, 0.0, 0.0);
}

@compute @workgroup_size(WORKGROUP)
fn clear(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i == 0u) { atomicStore(&largest, 0u); }
  if (i < arrayLength(&words4)) { words4[i] = vec4u(); }
}

// Positive floats are ordered as their bits are, with infinity and NaN at the top.
var<workgroup> most: atomic<u32>;
@compute @workgroup_size(WORKGROUP)
fn measure(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  var m = vec4u();
  for (var i = id.x; i < arrayLength(&dy); i += grid.x * WORKGROUP) {
    m = max(m, bitcast<vec4u>(dy[i]) & vec4u(0x7fffffffu));
  }
  atomicMax(&most, max(max(m.x, m.y), max(m.z, m.w)));
  workgroupBarrier();
  if (lane == 0u) { atomicMax(&largest, atomicLoad(&most)); }
}

fn power(k: i32) -> f32 { return bitcast<f32>(u32(k + 127) << 23u); }
// k such that max |dy| < 2^(bits - k), as far as 2^k and 2^-k are floats. A float below 2^e has the exponent e + 126.
fn scale() -> i32 { return min(sizes.bits + 126 - i32(atomicLoad(&largest) >> 23u), 126); }

fn add(element: u32, v: f32, scaled: f32) {
  let m = abs(v) * scaled;
  if (m < 1.0) { return; }
  var high = u32(m * 0x1p-32);
  var low = u32(m - f32(high) * 0x1p32);
  if (v < 0.0) {   // two's complement
    low = ~low + 1u;
    high = ~high + select(0u, 1u, low == 0u);
  }
  let before = atomicAdd(&words[2u * element], low);
  high += select(0u, 1u, before > ~low);   // carry
  if (high != 0u) { atomicAdd(&words[2u * element + 1u], high); }
}

@compute @workgroup_size(WORKGROUP)
fn scatter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&dy)) { return; }
  let at = place(i32(i / C4));
  let c4 = i % C4;
  let g = dy[i];
  let scaled = power(scale());
  for (var corner = 0; corner < 4; corner++) {
    let to = pixel(at, corner & 1, corner >> 1u);
    if (to < 0) { continue; }
    let wx = select(1.0 - at.x.t, at.x.t, (corner & 1) == 1);
    let wy = select(1.0 - at.y.t, at.y.t, corner >= 2);
    let v = wx * wy * g;
    let element = (u32(to) * C4 + c4) * 4u;
    add(element, v.x, scaled);
    add(element + 1u, v.y, scaled);
    add(element + 2u, v.z, scaled);
    add(element + 3u, v.w, scaled);
  }
}

fn value(words: vec2u) -> f32 {
  var low = words.x;
  var high = words.y;
  let negative = high >= 0x80000000u;
  if (negative) {
    low = ~low + 1u;
    high = ~high + select(0u, 1u, low == 0u);
  }
  let m = f32(high) * 0x1p32 + f32(low);
  return select(m, -m, negative);
}

@compute @workgroup_size(WORKGROUP)
fn collect(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let a = words4[2u * i];
  let b = words4[2u * i + 1u];
  var sum = vec4f(value(a.xy), value(a.zw), value(b.xy), value(b.zw)) * power(-scale());
  let bits = atomicLoad(&largest);
  if (bits >= 0x7f800000u) { sum = bitcast<vec4f>(vec4u(bits | 0x400000u)); }   // dy was not finite: neither is its sum
  out[i] = sum;
}
