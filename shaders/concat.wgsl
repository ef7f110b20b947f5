// Two tensors side by side along one axis: out[o] = a[o], then b[o].
const WORKGROUP = 64u;
struct Sizes { a: u32, b: u32 }   // quads: counted in vec4, what lies inside an element included
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read> a_channels: array<f32>;   // the same, channel by channel
@group(0) @binding(4) var<storage, read> b_channels: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn quads(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let o = i / (sizes.a + sizes.b);
  let j = i - o * (sizes.a + sizes.b);
  if (j < sizes.a) { out[i] = a[o * sizes.a + j]; } else { out[i] = b[o * sizes.b + j - sizes.a]; }
}

// Channels where a does not end with a quad.
@compute @workgroup_size(WORKGROUP)
fn channels(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let quads = (sizes.a + sizes.b + 3u) / 4u;
  let o = i / quads;
  let c = (i - o * quads) * 4u;
  let a_row = o * ((sizes.a + 3u) / 4u * 4u);
  let b_row = o * ((sizes.b + 3u) / 4u * 4u);
  var v = vec4f();
  for (var l = 0u; l < min(4u, sizes.a + sizes.b - c); l++) {
    let j = c + l;
    if (j < sizes.a) { v[l] = a_channels[a_row + j]; } else { v[l] = b_channels[b_row + j - sizes.a]; }
  }
  out[i] = v;
}
