// Softmax along one axis, y = exp(x - max) / Σ exp(x - max), and its gradient dx = y · (dy - Σ dy·y).
// Along batch, frames, rows or columns an invocation has one column of four channels; neighbours load neighbours.
// Along channels SHARE invocations have one position: each takes every SHARE-th four channels, their results meet in a tree.
const C4 = 1u;            // channels / 4, rounded up
const LANES = 4u;         // channels in the last four: the padding has no share in a sum, and stays zero
const SHARE = 1u;         // a power of two, at most WORKGROUP
const WORKGROUP = 64u;
const LOWEST = -3.0e38;
struct Sizes { middle: u32, inner: u32, positions: u32 }   // columns: (outer, middle, inner) in vec4
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> y: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;

fn masked(i: u32, v: vec4f, padding: f32) -> vec4f {
  if (LANES == 4u || i % C4 != C4 - 1u) { return v; }
  return select(vec4f(padding), v, vec4u(0u, 1u, 2u, 3u) < vec4u(LANES));
}

@compute @workgroup_size(WORKGROUP)
fn columns(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= sizes.positions) { return; }
  let base = i / sizes.inner * sizes.middle * sizes.inner + i % sizes.inner;
  var most = x[base];
  for (var m = 1u; m < sizes.middle; m++) { most = max(most, x[base + m * sizes.inner]); }
  var sum = vec4f();
  for (var m = 0u; m < sizes.middle; m++) { sum += exp(x[base + m * sizes.inner] - most); }
  for (var m = 0u; m < sizes.middle; m++) {
    let at = base + m * sizes.inner;
    out[at] = masked(at, exp(x[at] - most) / sum, 0.0);
  }
}

@compute @workgroup_size(WORKGROUP)
fn columns_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= sizes.positions) { return; }
  let base = i / sizes.inner * sizes.middle * sizes.inner + i % sizes.inner;
  var sum = vec4f();
  for (var m = 0u; m < sizes.middle; m++) { sum += dy[base + m * sizes.inner] * y[base + m * sizes.inner]; }
  for (var m = 0u; m < sizes.middle; m++) {
    let at = base + m * sizes.inner;
    out[at] = y[at] * (dy[at] - sum);
  }
}

var<workgroup> partial: array<f32, WORKGROUP>;

fn most_of_position(t: u32, value: f32) -> f32 {
  if (SHARE == 1u) { return value; }
  partial[t] = value;
  for (var half = SHARE / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t % SHARE < half) { partial[t] = max(partial[t], partial[t + half]); }
  }
  workgroupBarrier();
  return partial[t / SHARE * SHARE];
}

fn sum_of_position(t: u32, value: f32) -> f32 {
  if (SHARE == 1u) { return value; }
  workgroupBarrier();      // the tree before may still be read
  partial[t] = value;
  for (var half = SHARE / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t % SHARE < half) { partial[t] += partial[t + half]; }
  }
  workgroupBarrier();
  return partial[t / SHARE * SHARE];
}

@compute @workgroup_size(WORKGROUP)
fn channels(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u,
            @builtin(local_invocation_index) t: u32) {
  let position = (id.x + id.y * grid.x * WORKGROUP) / SHARE;
  let end = select(0u, C4, position < sizes.positions);   // those beyond the last position only take part in barriers
  let base = position * C4;
  var most = vec4f(LOWEST);
  for (var c = t % SHARE; c < end; c += SHARE) { most = max(most, masked(c, x[base + c], LOWEST)); }
  let largest = most_of_position(t, max(max(most.x, most.y), max(most.z, most.w)));
  var sum = vec4f();
  for (var c = t % SHARE; c < end; c += SHARE) { sum += masked(c, exp(x[base + c] - largest), 0.0); }
  let total = sum_of_position(t, sum.x + sum.y + (sum.z + sum.w));
  for (var c = t % SHARE; c < end; c += SHARE) { out[base + c] = masked(c, exp(x[base + c] - largest) / total, 0.0); }
}

@compute @workgroup_size(WORKGROUP)
fn channels_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u,
                     @builtin(local_invocation_index) t: u32) {
  let position = (id.x + id.y * grid.x * WORKGROUP) / SHARE;
  let end = select(0u, C4, position < sizes.positions);
  let base = position * C4;
  var sum = 0.0;
  for (var c = t % SHARE; c < end; c += SHARE) { sum += dot(dy[base + c], y[base + c]); }
  let total = sum_of_position(t, sum);
  for (var c = t % SHARE; c < end; c += SHARE) { out[base + c] = y[base + c] * (dy[base + c] - total); }
}
