// Bilinear sampling of an image at the places that a field tells, one for each of the field's positions:
//   warp         y(p) = image(p + field(p)); the field points right and down, in pixels
//   grid_sample  y(p) = image(field(p)); the field runs from -1 to 1 over the image, x before y
//   splat        the adjoint of warp in the image, which is R times larger: out(R·(p + field(p))) += x(p)
// Sampling gathers, and so does the gradient of the field. The gradient of the image scatters, as splat does: many positions
// may share a place. It adds whole numbers, whose sum does not depend on the order: fixed point, 64 bits in two words.
const C = 4u;             // channels
const R = 1;              // image pixels in a field's pixel
const GRID = false;       // the field holds places from -1 to 1, else ways in pixels
const CORNERS = false;    // grid: -1 and 1 are the centres of the border pixels, else their outer edges
const BORDER = false;     // outside the image: its nearest pixel, else zeros
const EDGE = false;       // border: a place upon the first pixel still moves with the field
const WORKGROUP = 64u;
struct Sizes { height: i32, width: i32,   // of the image
  rows: i32, columns: i32,                // of the field
  bits: i32 }                             // splat: the largest |x| becomes a whole number of so many bits
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> image: array<vec4f>;
@group(0) @binding(2) var<storage, read> field: array<vec4f>;
@group(0) @binding(3) var<storage, read> x: array<vec4f>;                   // lies as the field: what is splat, or dy
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> words: array<atomic<u32>>;   // low and high word of each sum
@group(0) @binding(6) var<storage, read_write> words4: array<vec4u>;        // the same, and as pairs
@group(0) @binding(7) var<storage, read> pairs: array<vec2u>;
@group(0) @binding(8) var<storage, read_write> largest: atomic<u32>;        // bits of max |x|
const C4 = (C + 3u) / 4u;

// The four pixels around a place: the first of them, how far the place lies beyond it, and whether it moves with the field.
struct Axis { first: i32, t: f32, slope: f32 }
struct Place { plane: i32, x: Axis, y: Axis }

// Compilers take v != v for false.
fn is_nan(v: f32) -> bool { return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u; }

// Position and shift are not added as floats: far from the origin that would cost digits of t. Infinities are far away, and
// what is not a number makes everything NaN that comes of it.
fn along(at: i32, shift: f32, last: i32) -> Axis {
  if (is_nan(shift)) { return Axis(0, shift, shift); }
  let finite = clamp(shift, -1e7, 1e7);
  let whole = floor(finite);
  let rest = f32(R) * (finite - whole);
  let more = floor(rest);
  let first = (at + i32(whole)) * R + i32(more);
  let t = rest - more;
  if (BORDER && (first < 0 || (first == 0 && t == 0.0 && !EDGE))) { return Axis(0, 0.0, 0.0); }
  if (BORDER && first >= last) { return Axis(last, 0.0, 0.0); }
  return Axis(first, t, 1.0);
}

// Pixels that a step of 1 in the field makes.
fn stride(size: i32) -> f32 {
  if (!GRID) { return f32(R); }
  return 0.5 * f32(size - select(0, 1, CORNERS));
}

// The centre of the image lies at (size - 1) / 2.
fn within(g: f32, size: i32) -> Axis {
  return along((size - 1) / 2, fma(g, stride(size), select(0.5, 0.0, size % 2 == 1)), size - 1);
}

fn place(p: i32) -> Place {
  let line = p / sizes.columns;
  let n = line / sizes.rows;
  let f = field[p];
  let plane = n * sizes.height * sizes.width;
  if (GRID) { return Place(plane, within(f.x, sizes.width), within(f.y, sizes.height)); }
  let x = along(p - line * sizes.columns, f.x, sizes.width - 1);
  return Place(plane, x, along(line - n * sizes.rows, f.y, sizes.height - 1));
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
  let there = vec4u(c4 * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(C);   // padding stays zero where a place is NaN
  out[i] = select(vec4f(), mix(top, bottom, at.y.t), there);
}

@compute @workgroup_size(WORKGROUP)
fn field_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let p = id.x + id.y * grid.x * WORKGROUP;
  if (p >= arrayLength(&out)) { return; }
  let at = place(i32(p));
  let pixels = vec4i(pixel(at, 0, 0), pixel(at, 1, 0), pixel(at, 0, 1), pixel(at, 1, 1));
  var d = vec2f();
  for (var c4 = 0u; c4 < C4; c4++) {
    let g = x[p * C4 + c4];
    let nw = load(pixels.x, c4);
    let ne = load(pixels.y, c4);
    let sw = load(pixels.z, c4);
    let se = load(pixels.w, c4);
    d += vec2f(dot(g, mix(ne - nw, se - sw, at.y.t)), dot(g, mix(sw - nw, se - ne, at.x.t)));
  }
  out[p] = vec4f(stride(sizes.width) * at.x.slope * d.x, stride(sizes.height) * at.y.slope * d.y, 0.0, 0.0);
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
  for (var i = id.x; i < arrayLength(&x); i += grid.x * WORKGROUP) {
    m = max(m, bitcast<vec4u>(x[i]) & vec4u(0x7fffffffu));
  }
  atomicMax(&most, max(max(m.x, m.y), max(m.z, m.w)));
  workgroupBarrier();
  if (lane == 0u) { atomicMax(&largest, atomicLoad(&most)); }
}

fn power(k: i32) -> f32 { return bitcast<f32>(u32(k + 127) << 23u); }
// k such that max |x| < 2^(bits - k), as far as 2^k and 2^-k are floats. A float below 2^e has the exponent e + 126.
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
  if (i >= arrayLength(&x)) { return; }
  let at = place(i32(i / C4));
  if (is_nan(at.x.t) || is_nan(at.y.t)) {   // it could have gone anywhere: no sum is known
    atomicMax(&largest, 0x7fc00000u);
    return;
  }
  let c4 = i % C4;
  let g = x[i];
  let scaled = power(scale());
  for (var corner = 0; corner < 4; corner++) {
    let to = pixel(at, corner & 1, corner >> 1u);
    if (to < 0) { continue; }
    let wx = select(1.0 - at.x.t, at.x.t, (corner & 1) == 1);
    let wy = select(1.0 - at.y.t, at.y.t, corner >= 2);
    let v = wx * wy * g;
    let element = u32(to) * C + c4 * 4u;
    for (var l = 0u; l < min(4u, C - c4 * 4u); l++) { add(element + l, v[l], scaled); }
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
  let c = i % C4 * 4u;
  let unit = power(-scale());
  let bits = atomicLoad(&largest);
  var sum = vec4f();
  for (var l = 0u; l < min(4u, C - c); l++) {
    sum[l] = unit * value(pairs[i / C4 * C + c + l]);
    if (bits >= 0x7f800000u) { sum[l] = bitcast<f32>(bits | 0x400000u); }   // x or field was not finite: no sum is
  }
  out[i] = sum;
}
