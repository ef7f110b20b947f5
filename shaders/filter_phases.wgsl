// The filter of a transposed convolution whose kernel is M strides R long, as that of a convolution with M taps an axis before a
// pixel shuffle: phase p of the R output pixels of an input pixel meets taps (p + LEAD) % R + n·R, the last of them first,
//   out[t][i][(phase, o)] = w[(phase + LEAD) % R + (M - 1 - t)·R][i][o]        (rows and columns alike).
// The bias is the same for all phases: out[(phase, o)] = bias[o].
const CI4 = 1u;           // input channels / 4; of a bias, unused
const CO4 = 1u;           // output channels / 4
const R = 2u;
const M = 1u;
const LEAD = 0u;          // padding % R
const WORKGROUP = 64u;
@group(0) @binding(0) var<storage, read> w: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn filter_phases(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let phase = i / CO4 % (R * R);
  let row = i / (CO4 * R * R);
  let t = row / (CI4 * 4u);
  let k = (vec2u(phase / R, phase % R) + LEAD) % R + (M - 1u - vec2u(t / M, t % M)) * R;
  out[i] = w[((k.x * M * R + k.y) * CI4 * 4u + row % (CI4 * 4u)) * CO4 + i % CO4];
}

@compute @workgroup_size(WORKGROUP)
fn bias_phases(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = w[i % CO4];
}
