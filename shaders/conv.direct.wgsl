// Convolution in its plainest form: one invocation computes four neighbouring output channels of one position.
//   y[o·os + oo] = Σ_tap w[k + tap·k_step] · x[o·is + off + tap·off_step]        (each axis alike)
// x passes a PReLU as it is loaded; bias, residual, activation and pixel shuffle stand in the store: y = act(y + bias + residual).
// With is = stride this is a convolution; a transposed convolution is one such gather for each phase oo of its stride
// (os = stride), and so is the gradient of a convolution with respect to its input. Any groups, any taps.
const CI = 4u;            // input channels of a group
const CO = 4u;            // output channels of a group
const GROUPS = 1u;
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
const R = 1u;             // pixel shuffle of the result: (phase, channel) of R·R phases to R x R pixels
const LEAD = 0u;          // phase p of a shuffle reads x from (p + LEAD) / R further on, rows and columns alike
const WORKGROUP = 64u;
struct Geometry {
  src: vec4i,            // D, H, W, N of x
  dst: vec4i,              // D, H, W of y
  grid: vec4i,            // positions of this phase
  is: vec4i, off: vec4i, off_step: vec4i,
  os: vec4i, oo: vec4i,
  taps: vec4i,
  k: vec4i, k_step: vec4i,
  kernel: vec4i,          // taps of the whole filter
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<f32>;          // N, D, H, W, CI·GROUPS padded
@group(0) @binding(2) var<storage, read> w: array<vec4f>;        // taps, CI padded, CO·GROUPS padded
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> slope: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;

const X_PITCH = (CI * GROUPS + 3u) / 4u * 4u;
const W_ROWS = (CI + 3u) / 4u * 4u;
const Y_PITCH4 = (CO * GROUPS + 3u) / 4u;
const PER = Y_PITCH4 / (R * R);    // output channels of a phase / 4

fn load(i: u32, c: u32) -> f32 {
  let v = x[i];
  if (SLOPES == 0u) { return v; }
  return v * select(slope[select(0u, c, SLOPES == 1u)], 1.0, v > 0.0);
}

fn finish(sum: vec4f, o: u32, at: u32) -> vec4f {
  var y = sum;
  if (BIAS) { y += bias[o]; }
  if (RESIDUAL) { y += residual[at]; }
  if (LEAK != 1.0) { y = select(LEAK * y, y, y > vec4f()); }
  return y;
}

@compute @workgroup_size(WORKGROUP)
fn gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= u32(g.grid.x * g.grid.y * g.grid.z * g.src.w) * Y_PITCH4) { return; }
  let o4 = i % Y_PITCH4;  i /= Y_PITCH4;
  let pw = i32(i) % g.grid.z;  i /= u32(g.grid.z);
  let ph = i32(i) % g.grid.y;  i /= u32(g.grid.y);
  let pd = i32(i) % g.grid.x;
  let n = i32(i) / g.grid.x;

  let phase = vec2u(o4 / PER / R, o4 / PER % R);
  let ahead = vec2i((phase + LEAD) / R);
  var sum = vec4f();
  for (var a = 0; a < g.taps.x; a++) {
    let d = pd * g.is.x + g.off.x + a * g.off_step.x;
    if (d < 0 || d >= g.src.x) { continue; }
    for (var b = 0; b < g.taps.y; b++) {
      let h = ph * g.is.y + g.off.y + ahead.x + b * g.off_step.y;
      if (h < 0 || h >= g.src.y) { continue; }
      for (var c = 0; c < g.taps.z; c++) {
        let v = pw * g.is.z + g.off.z + ahead.y + c * g.off_step.z;
        if (v < 0 || v >= g.src.z) { continue; }
        let row_in = u32(((n * g.src.x + d) * g.src.y + h) * g.src.z + v) * X_PITCH;
        let tap = ((g.k.x + a * g.k_step.x) * g.kernel.y + g.k.y + b * g.k_step.y) * g.kernel.z + g.k.z + c * g.k_step.z;
        for (var ci = 0u; ci < CI; ci++) {
          let weight = w[(u32(tap) * W_ROWS + ci) * Y_PITCH4 + o4];
          var value = vec4f();
          for (var l = 0u; l < 4u; l++) {                       // a group of its own for each output channel
            let group = min((o4 * 4u + l) / CO, GROUPS - 1u);
            value[l] = load(row_in + group * CI + ci, group * CI + ci);
          }
          sum = fma(weight, value, sum);
        }
      }
    }
  }
  let q = vec3i(pd, ph, pw) * g.os.xyz + g.oo.xyz + vec3i(0, vec2i(phase));
  let at = u32(((n * g.dst.x + q.x) * g.dst.y + q.y) * g.dst.z + q.z) * PER + o4 % PER;
  out[at] = finish(sum, o4, at);
}
