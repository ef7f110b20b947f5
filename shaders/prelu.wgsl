// PReLU, four channels at a time: quad i belongs to channels 4·(i % C4) and position i / C4.
const C4 = 16u;           // channels / 4, rounded up
const SHARED = false;     // one slope for all channels
const WORKGROUP = 64u;
struct Sizes { chunks: u32 }   // parts of the sum over positions
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;        // x going forward, dy going back
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;

// Linear on each side of zero, so one kernel serves both ways: y = g(x)·x, dx = g(x)·dy.
@compute @workgroup_size(WORKGROUP)
fn scale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  var a: vec4f;
  if (SHARED) { a = vec4f(weight[0].x); } else { a = weight[i % C4]; }
  out[i] = v[i] * select(a, vec4f(1.0), x[i] > vec4f());
}

// out[chunk][channel] = Σ dy·min(x, 0) over every chunks-th position: eq. 2 and 3, to be added in a second pass.
@compute @workgroup_size(WORKGROUP)
fn slope_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  var sum = vec4f();
  for (var q = i; q < arrayLength(&x); q += sizes.chunks * C4) { sum += v[q] * min(x[q], vec4f()); }
  out[i] = sum;
}
