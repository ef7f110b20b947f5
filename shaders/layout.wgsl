// The edge of the engine: arrays in PyTorch's order enter (pack) and leave (unpack).
// Element (outer n, position p, channel c) lies at n·stride_outer + p·stride_inner + c·stride_channel of the plain array.
const WORKGROUP = 64u;
struct Sizes { inner: u32, rows: u32,   // positions that exist, and that are stored (filters pad them)
   channels: u32, stride_outer: u32, stride_inner: u32, stride_channel: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> plain: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;       // channels last, padded
@group(0) @binding(3) var<storage, read> x: array<vec4f>;               // channels last, padded
@group(0) @binding(4) var<storage, read_write> plain_out: array<f32>;

struct Place { first: u32, lanes: u32 }   // where four channels begin in the plain array, and how many of them exist

fn place(i: u32) -> Place {
  let c4 = (sizes.channels + 3u) / 4u;
  let c = i % c4 * 4u;
  let outer = i / c4 / sizes.rows;
  let p = i / c4 % sizes.rows;
  let first = outer * sizes.stride_outer + p * sizes.stride_inner + c * sizes.stride_channel;
  return Place(first, select(0u, min(4u, sizes.channels - c), p < sizes.inner));
}

@compute @workgroup_size(WORKGROUP)
fn pack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let at = place(i);
  var v = vec4f();
  for (var l = 0u; l < at.lanes; l++) { v[l] = plain[at.first + l * sizes.stride_channel]; }
  out[i] = v;
}

@compute @workgroup_size(WORKGROUP)
fn unpack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&x)) { return; }
  let at = place(i);
  let v = x[i];
  for (var l = 0u; l < at.lanes; l++) { plain_out[at.first + l * sizes.stride_channel] = v[l]; }
}
