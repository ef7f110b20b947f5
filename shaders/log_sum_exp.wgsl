// log Σ exp along the middle of (outer, middle, inner), in passes as reduce.wgsl has them: the logarithms of sums of
// exponentials add up as log(e^a + e^b). What each pass subtracts is its own largest value, so nothing overflows.
const C4 = 1u;            // channels / 4, rounded up
const LANES = 4u;         // channels in the last four
const SKIP = false;       // the padding of x has no share (channels go)
const CLEAR = false;      // the padding of out is zero (channels stay, and this pass is the last)
const WORKGROUP = 64u;
const LOWEST = -3.0e38;
struct Sizes { middle: u32, inner: u32, chunks: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;

fn masked(i: u32, v: vec4f, padding: f32) -> vec4f {
  if (i % C4 != C4 - 1u) { return v; }
  return select(vec4f(padding), v, vec4u(0u, 1u, 2u, 3u) < vec4u(LANES));
}

fn load(i: u32) -> vec4f {
  if (SKIP) { return masked(i, x[i], LOWEST); }
  return x[i];
}

@compute @workgroup_size(WORKGROUP)
fn middle(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let column = i % sizes.inner;
  let chunk = i / sizes.inner % sizes.chunks;
  let base = i / (sizes.inner * sizes.chunks) * sizes.middle;
  var most = vec4f(LOWEST);
  for (var m = chunk; m < sizes.middle; m += sizes.chunks) { most = max(most, load((base + m) * sizes.inner + column)); }
  var sum = vec4f();
  for (var m = chunk; m < sizes.middle; m += sizes.chunks) { sum += exp(load((base + m) * sizes.inner + column) - most); }
  let v = most + log(sum);
  if (CLEAR) { out[i] = masked(i, v, 0.0); } else { out[i] = v; }
}

// Four channels to one.
@compute @workgroup_size(WORKGROUP)
fn lanes(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let v = x[i];
  let most = max(max(v.x, v.y), max(v.z, v.w));
  let e = exp(v - most);
  out[i] = vec4f(most + log(e.x + e.y + (e.z + e.w)), 0.0, 0.0, 0.0);
}
