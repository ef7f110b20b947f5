// The same numbers in the same row-major order under another shape: out[L] = x[L], where both lie channels last.
const WORKGROUP = 64u;
struct Sizes {
  inner: u32, rows: u32, channels: u32,                               // of out, as in layout.wgsl
  stride_outer: u32, stride_inner: u32, stride_channel: u32,
  x_channels: u32, x_inner: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn reshape(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let c4 = (sizes.channels + 3u) / 4u;
  let c = i % c4 * 4u;
  let p = i / c4 % sizes.rows;
  let first = i / c4 / sizes.rows * sizes.stride_outer + p * sizes.stride_inner + c * sizes.stride_channel;
  let lanes = select(0u, min(4u, sizes.channels - c), p < sizes.inner);
  let pitch = (sizes.x_channels + 3u) / 4u * 4u;
  var v = vec4f();
  for (var l = 0u; l < lanes; l++) {
    let at = first + l * sizes.stride_channel;
    let row = at / sizes.x_inner;                                     // of one channel of one sample
    let position = row / sizes.x_channels * sizes.x_inner + at % sizes.x_inner;
    v[l] = x[position * pitch + row % sizes.x_channels];
  }
  out[i] = v;
}
