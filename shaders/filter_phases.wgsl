// The filter of a transposed convolution whose windows do not overlap, as that of a 1x1 convolution before a pixel shuffle:
//   out[i][(tap, o)] = w[tap][i][o],
// for each tap is a phase of its own. The bias is the same for all phases: out[(tap, o)] = bias[o].
const CI4 = 1u;           // input channels / 4; of a bias, unused
const CO4 = 1u;           // output channels / 4
const TAPS = 4u;
const WORKGROUP = 64u;
@group(0) @binding(0) var<storage, read> w: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn filter_phases(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let tap = i / CO4 % TAPS;
  out[i] = w[(tap * CI4 * 4u + i / (CO4 * TAPS)) * CO4 + i % CO4];
}

@compute @workgroup_size(WORKGROUP)
fn bias_phases(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = w[i % CO4];
}
