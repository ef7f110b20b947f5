// A window onto one axis, zeros beyond its ends: out[o, j] = x[o, j + first]. Slicing, padding with zeros, and the gradient
// of each, which is the window the other way.
const WORKGROUP = 64u;
struct Sizes { inputs: i32, outputs: i32, first: i32 }   // quads: sizes counted in vec4, what lies inside an element included
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> x_channels: array<f32>;   // x again, channel by channel
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn quads(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let o = i32(i) / sizes.outputs;
  let j = i32(i) - o * sizes.outputs + sizes.first;
  var v = vec4f();
  if (j >= 0 && j < sizes.inputs) { v = x[o * sizes.inputs + j]; }
  out[i] = v;
}

// Channels at any place of their quads.
@compute @workgroup_size(WORKGROUP)
fn channels(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let outputs4 = (sizes.outputs + 3) / 4;
  let o = i32(i) / outputs4;
  let c = (i32(i) - o * outputs4) * 4;
  let row = o * ((sizes.inputs + 3) / 4 * 4);
  var v = vec4f();
  for (var l = 0; l < min(4, sizes.outputs - c); l++) {
    let j = c + l + sizes.first;
    if (j >= 0 && j < sizes.inputs) { v[l] = x_channels[row + j]; }
  }
  out[i] = v;
}
