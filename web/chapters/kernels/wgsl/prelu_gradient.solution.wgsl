// One workgroup a channel: each invocation takes every 64th position, then 64 sums become one in a tree of fixed order.
const C = 4u;
const P = 64u;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> slope: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<storage, read_write> dslope: array<f32>;
var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let c = group.x;
  let a = slope[c];
  var sum = 0.0;
  for (var p = t; p < P; p += 64u) {      // neighbours read neighbouring values
    let i = c * P + p;
    dx[i] = dy[i] * select(a, 1.0, x[i] > 0.0);
    sum += dy[i] * min(x[i], 0.0);
  }
  sums[t] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t < half) { sums[t] += sums[t + half]; }
  }
  if (t == 0u) { dslope[c] = sums[0]; }
}
