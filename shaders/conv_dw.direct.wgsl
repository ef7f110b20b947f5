// Weight gradient of a convolution, plainly: one invocation computes four neighbouring weights of one chunk of rows,
//   part[chunk][tap][b][a] = Σ_{rows of the chunk} Σ_o dense[o][a] · x[o·is + off + tap·off_step][b],
// and a second pass adds the chunks in their order. `x` is what the filter slides over, `dense` what meets every filter
// position once: for a convolution its input and dy, for a transposed one dy and its input.
const B = 4u;             // channels of x in a group
const A = 4u;             // channels of dense in a group
const GROUPS = 1u;
const CHUNKS = 1u;
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
const WORKGROUP = 64u;
struct Geometry {
  src: vec4i,            // D, H, W, N of x
  grid: vec4i,            // D, H, W of dense
  is: vec4i, off: vec4i, off_step: vec4i,
  kernel: vec4i,
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dense: array<vec4f>;
@group(0) @binding(3) var<storage, read> slope: array<f32>;
@group(0) @binding(4) var<storage, read_write> part: array<vec4f>;

const X_PITCH = (B * GROUPS + 3u) / 4u * 4u;
const A4 = (A * GROUPS + 3u) / 4u;
const ROWS = (B + 3u) / 4u * 4u;   // filters are padded along both channel axes

fn load(i: u32, c: u32) -> f32 {
  let v = x[i];
  if (SLOPES == 0u) { return v; }
  return v * select(slope[select(0u, c, SLOPES == 1u)], 1.0, v > 0.0);
}

@compute @workgroup_size(WORKGROUP)
fn weight_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= arrayLength(&part)) { return; }
  let a4 = i % A4;
  let b = i / A4 % ROWS;
  let taps = u32(g.kernel.x * g.kernel.y * g.kernel.z);
  let tap = i32(i / (A4 * ROWS) % taps);
  let chunk = i / (A4 * ROWS * taps);
  let k = vec3i(tap / (g.kernel.y * g.kernel.z), tap / g.kernel.z % g.kernel.y, tap % g.kernel.z);
  let shift = g.off.xyz + k * g.off_step.xyz;

  let rows = u32(g.src.w * g.grid.x * g.grid.y);
  var sum = vec4f();
  for (var row = chunk * rows / CHUNKS; row < (chunk + 1u) * rows / CHUNKS; row++) {
    let h = i32(row) % g.grid.y * g.is.y + shift.y;
    let nd = i32(row) / g.grid.y;
    let d = nd % g.grid.x * g.is.x + shift.x;
    if (d < 0 || d >= g.src.x || h < 0 || h >= g.src.y) { continue; }
    for (var p = 0; p < g.grid.z; p++) {
      let v = p * g.is.z + shift.z;
      if (v < 0 || v >= g.src.z) { continue; }
      let row_in = u32(((nd / g.grid.x * g.src.x + d) * g.src.y + h) * g.src.z + v) * X_PITCH;
      var value = vec4f();
      for (var l = 0u; l < 4u; l++) {                           // a group of its own for each channel of dense
        let c = min((a4 * 4u + l) / A, GROUPS - 1u) * B + min(b, B - 1u);
        value[l] = load(row_in + c, c);
      }
      sum = fma(dense[(row * u32(g.grid.z) + u32(p)) * A4 + a4], value, sum);
    }
  }
  part[i] = select(vec4f(), sum, b < B);
}
