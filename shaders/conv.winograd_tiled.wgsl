// Winograd's convolution F(2x2, 3x3), products and inverse transform for GPUs (see conv.winograd.wgsl for the formula).
// A workgroup of TX·TY invocations computes 4·TY tiles x 8·TX output channels. For one frequency at a time it walks the input
// channels in steps of BK4·4: the transformed inputs of its tiles (rows padded by one vec4 against bank conflicts) and filters
// go to workgroup memory, then every invocation adds 4 tiles x 8 channels in registers.
const CI4 = 16u;          // input channels / 4
const CO4 = 16u;          // output channels / 4
const TX = 8u;            // invocations along channels
const TY = 16u;           // invocations along tiles
const BK4 = 4u;           // input channels / 4 held at a time
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const R = 1u;             // pixel shuffle of the result: (phase, channel) of R·R phases to R x R pixels
const LEAD = 0u;          // as in conv.winograd.wgsl; where it is not 0, BN4 divides PER
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

const THREADS = TX * TY;
const BM = 4u * TY;                       // tiles
const BN4 = 2u * TX;                      // output channels / 4
const CO_BLOCKS = (CO4 + BN4 - 1u) / BN4;
const PITCH = BK4 + 1u;
const PER = CO4 / (R * R);                // output channels of a phase / 4
const A = array(vec2f(1.0, 0.0), vec2f(1.0, 1.0), vec2f(1.0, -1.0), vec2f(0.0, -1.0));   // its rows
var<workgroup> inputs: array<vec4f, BM * PITCH>;
var<workgroup> weights: array<vec4f, BK4 * 4u * BN4>;

fn finish(sum: vec4f, o: u32, at: u32) -> vec4f {
  var y = sum;
  if (BIAS) { y += bias[o]; }
  if (RESIDUAL) { y += residual[at]; }
  if (LEAK != 1.0) { y = select(LEAK * y, y, y > vec4f()); }
  return y;
}

@compute @workgroup_size(THREADS)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let first = group.x / CO_BLOCKS * BM;
  let c0 = group.x % CO_BLOCKS * BN4;
  let pd = i32(group.y);
  let count = u32(g.tiles.w * g.tiles.y);
  let tx = t % TX;
  let ty = t / TX;
  var y: array<vec4f, 32>;                // of the 2 x 2 outputs: 4 tiles x 2 vec4 of channels
  let ahead = (vec2u(c0 / PER / R, c0 / PER % R) + LEAD) / R;
  for (var s = 0u; s < SPAN * SPAN; s++) {
    let row = s / SPAN + ahead.x;
    let column = s % SPAN + ahead.y;
    let f = row * 4u + column;
    var m: array<vec4f, 8>;
    for (var i = 0u; i < 8u; i++) { m[i] = vec4f(); }
    for (var a = 0; a < g.taps.x; a++) {
      let d = pd * g.is.x + g.off.x + a * g.off_step.x;
      if (d < 0 || d >= g.src.x) { continue; }
      let frame = (f * u32(g.src.x) + u32(d)) * count;
      let filters = (u32(a) * 16u + f) * CI4 * 4u;
      for (var k0 = 0u; k0 < CI4; k0 += BK4) {
        workgroupBarrier();
        for (var i = t; i < BM * BK4; i += THREADS) {
          let tile = first + i / BK4;
          let c = k0 + i % BK4;
          var value = vec4f();
          if (tile < count && c < CI4) { value = v[(frame + tile) * CI4 + c]; }
          inputs[i / BK4 * PITCH + i % BK4] = value;
        }
        for (var i = t; i < BK4 * 4u * BN4; i += THREADS) {
          let ci = k0 * 4u + i / BN4;
          let co = c0 + i % BN4;
          var value = vec4f();
          if (ci < CI4 * 4u && co < CO4) { value = u[(filters + ci) * CO4 + co]; }
          weights[i] = value;
        }
        workgroupBarrier();
        for (var k4 = 0u; k4 < BK4; k4++) {
          for (var half = 0u; half < 2u; half++) {
            let at = k4 * 4u * BN4 + half * TX + tx;
            let w0 = weights[at];
            let w1 = weights[at + BN4];
            let w2 = weights[at + 2u * BN4];
            let w3 = weights[at + 3u * BN4];
            for (var p = 0u; p < 4u; p++) {
              let x = inputs[(ty + p * TY) * PITCH + k4];
              let i = 2u * p + half;
              m[i] = fma(w3, vec4f(x.w), fma(w2, vec4f(x.z), fma(w1, vec4f(x.y), fma(w0, vec4f(x.x), m[i]))));
            }
          }
        }
      }
    }
    let ai = A[row];                   // Aᵀ·m·A, as far as this frequency goes
    let aj = A[column];
    for (var q = 0u; q < 4u; q++) {
      let factor = ai[q / 2u] * aj[q % 2u];
      for (var i = 0u; i < 8u; i++) { y[8u * q + i] = fma(vec4f(factor), m[i], y[8u * q + i]); }
    }
  }
  for (var i = 0u; i < 8u; i++) {
    let tile = first + ty + i / 2u * TY;
    let o = c0 + tx + i % 2u * TX;
    if (tile >= count || o >= CO4) { continue; }
    let r = g.tiles.z + i32(tile) / g.tiles.y;
    let corner = vec2i(r % g.tiles.x, i32(tile) % g.tiles.y) * 2;
    let plane = (r / g.tiles.x * g.dst.x + pd * g.os.x + g.oo.x) * g.dst.y;
    let phase = vec2i(i32(o / PER / R), i32(o / PER % R));
    for (var q = 0u; q < 4u; q++) {
      let to = corner + vec2i(i32(q / 2u), i32(q % 2u));
      if (any(to >= g.grid.yz)) { continue; }
      let pixel = to * g.os.yz + g.oo.yz + phase;
      let at = u32((plane + pixel.x) * g.dst.z + pixel.y) * PER + o % PER;
      out[at] = finish(y[8u * q + i], o, at);
    }
  }
}
