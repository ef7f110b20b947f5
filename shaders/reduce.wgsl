// Sums along the middle of (outer, middle, inner): one of `chunks` threads adds every chunks-th value (so that neighbours
// load neighbours), and passes repeat until one is left. The order is fixed by the shape, so a sum has the same bits on
// every run, and its error grows with the logarithm of its length.
const WORKGROUP = 64u;
struct Sizes { middle: u32, inner: u32, chunks: u32, scale: f32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn middle(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let column = i % sizes.inner;
  let chunk = i / sizes.inner % sizes.chunks;
  let base = i / (sizes.inner * sizes.chunks) * sizes.middle;
  var sum = vec4f();
  for (var m = chunk; m < sizes.middle; m += sizes.chunks) { sum += x[(base + m) * sizes.inner + column]; }
  out[i] = sum * sizes.scale;
}

// Four channels to one, for sums along channels (the padding adds zeros).
@compute @workgroup_size(WORKGROUP)
fn lanes(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let v = x[i];
  out[i] = vec4f((v.x + v.y + (v.z + v.w)) * sizes.scale, 0.0, 0.0, 0.0);
}
