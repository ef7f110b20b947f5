// Convolution to few output channels, one group, without stride (see conv.direct.wgsl for the geometry), in two steps: along
// some axes of the filter (u) a convolution with a channel for each tap of the others (t), whose window is one input wide there,
//   z[p][(t, o)] = Σ_{u,i} w[u, t][i][o] · x[p + off + u·off_step][i];
// then the sum of one value of each of these taps' neighbours, y[o] = Σ_t z[p + off + t·off_step][(t, o)]. So x is loaded once
// for all t, where a plain gather would load it once for each, with too few channels to share it.
const CO = 3u;
const CI4 = 16u;          // input channels / 4
const TAPS = 9u;          // of the sum: a plane or a row
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const WORKGROUP = 64u;
struct Geometry {
  src: vec4i, dst: vec4i, grid: vec4i,
  off: vec4i, off_step: vec4i,
  taps: vec4i,
  k: vec4i, k_step: vec4i,
  kernel: vec4i,          // all of the sum's axes alone; those before have one tap, that stays
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> w: array<f32>;          // taps, CI4·4, one vec4
@group(0) @binding(2) var<storage, read> z: array<f32>;          // N, D, H, W, Z
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> products: array<f32>;   // u, CI4·4, Z: the filter of the first step
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;
const Z = (TAPS * CO + 3u) / 4u * 4u;

@compute @workgroup_size(WORKGROUP)
fn filter_taps(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= arrayLength(&products)) { return; }
  let tap = i / (Z * CI4 * 4u) * TAPS + i % Z / CO;
  let value = w[(tap * CI4 * 4u + i / Z % (CI4 * 4u)) * 4u + i % Z % CO];
  products[i] = select(0.0, value, i % Z < TAPS * CO);
}

// Whole numbers divided by way of floats, and put right: processors divide whole numbers lane by lane.
fn divide(a: i32, b: i32) -> i32 {
  let inverse = 1.0 / f32(b);
  var q = i32(f32(a) * inverse);
  q += i32(f32(a - q * b) * inverse);
  let rest = a - q * b;
  return q + select(0, 1, rest >= b) - select(0, 1, rest < 0);
}

@compute @workgroup_size(WORKGROUP)
fn sum_taps(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = i32(id.x + id.y * groups.x * WORKGROUP);
  if (i >= g.src.w * g.grid.x * g.grid.y * g.grid.z) { return; }
  let row = divide(i, g.grid.z);
  let plane = divide(row, g.grid.y);
  let n = divide(plane, g.grid.x);
  let first = vec3i(plane - n * g.grid.x, row - plane * g.grid.y, i - row * g.grid.z) + g.off.xyz;
  var sum = vec4f();
  for (var b = 0; b < g.taps.y; b++) {
    for (var c = 0; c < g.taps.z; c++) {
      let v = first + vec3i(0, b, c) * g.off_step.xyz;
      let inside = all(v >= vec3i()) && all(v < g.src.xyz);
      let position = select(0, ((n * g.src.x + v.x) * g.src.y + v.y) * g.src.z + v.z, inside);
      let tap = (g.k.y + b * g.k_step.y) * g.kernel.z + g.k.z + c * g.k_step.z;
      let at = u32(position) * Z + u32(tap) * CO;
      var value = vec4f();
      for (var o = 0u; o < CO; o++) { value[o] = z[at + o]; }
      sum += select(vec4f(), value, inside);
    }
  }
  if (BIAS) { sum += bias[0]; }
  if (RESIDUAL) { sum += residual[i]; }
  if (LEAK != 1.0) { sum = select(LEAK * sum, sum, sum > vec4f()); }
  out[i] = sum;
}
