// Batch and instance normalisation: y = act(w·x̂ + b), x̂ = (x - mean) / √(variance + EPS). The channels of a group of positions
// share their statistics: batch norm has one group, the whole batch; instance norm one a sample. A thread owns four channels
// and goes through every strips-th position of a group, so that what belongs to the channels is loaded once.
const C4 = 16u;           // channels / 4, rounded up
const EPS = 1e-5f;
const WEIGHT = true;      // 1 without
const BIAS = true;        // 0 without
const LEAK = 1.0;         // slope below zero of the activation of y: 1 none, 0 ReLU
const OF = 0u;            // whose parameter_gradient: 0 bias, 1 weight, 2 mean, 3 variance
const WORKGROUP = 64u;
struct Sizes {
  positions: u32,         // of a group
  strips: u32,            // threads that share a group's positions
  groups: u32,
  momentum: f32,          // share of the batch in the running statistics
  unbias: f32,            // from the variance of the batch to the one that they take
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read> mean: array<vec4f>;       // group, channel
@group(0) @binding(4) var<storage, read> variance: array<vec4f>;   // biased
@group(0) @binding(5) var<storage, read> weight: array<vec4f>;
@group(0) @binding(6) var<storage, read> bias: array<vec4f>;
@group(0) @binding(7) var<storage, read> sums: array<vec4f>;       // of strips, or of groups: two a channel
@group(0) @binding(8) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(9) var<storage, read_write> variance_out: array<vec4f>;
var<workgroup> tree: array<vec4f, WORKGROUP>;

struct Place { quad: u32, strip: u32, group: u32, start: u32, end: u32, step: u32, valid: bool }

// Which four channels, and which of the group's values: start, start + step, ... below end.
fn place(id: vec3u, grid: vec3u) -> Place {
  let i = id.x + id.y * grid.x * WORKGROUP;
  let quad = i % C4;
  let strip = i / C4 % sizes.strips;
  let group = i / C4 / sizes.strips;
  let base = group * sizes.positions * C4 + quad;
  return Place(quad, strip, group, base + strip * C4, base + sizes.positions * C4, sizes.strips * C4, group < sizes.groups);
}

fn strip_length(strip: u32) -> f32 { return f32((sizes.positions - strip + sizes.strips - 1u) / sizes.strips); }

fn deviation(v: vec4f) -> vec4f { return sqrt(v + EPS); }

fn slope(i: u32, quad: u32) -> vec4f {
  var w = vec4f(1.0);
  if (WEIGHT) { w = weight[quad]; }
  return w / deviation(variance[i]);
}

fn shift(quad: u32) -> vec4f {
  if (BIAS) { return bias[quad]; }
  return vec4f();
}

// v, of which the activation lets LEAK through where its y is below zero: y itself going forward, dy going back.
fn activated(v: vec4f, y: vec4f) -> vec4f {
  if (LEAK == 1.0) { return v; }
  return select(LEAK * v, v, y > vec4f());
}

// Mean (beyond the group's first value) and Σ(x - mean)² of each strip. Differences to a value of the strip itself do not
// cancel where the mean is large: Chan, Golub, LeVeque 1983, "Algorithms for computing the sample variance", section 3.
@compute @workgroup_size(WORKGROUP)
fn strip_moments(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let p = place(id, grid);
  if (!p.valid) { return; }
  let first = x[p.start];
  var sum = vec4f();
  var squares = vec4f();
  for (var i = p.start; i < p.end; i += p.step) {
    let v = x[i] - first;
    sum += v;
    squares += v * v;
  }
  let average = sum / strip_length(p.strip);
  let at = (p.group * sizes.strips + p.strip) * 2u * C4 + p.quad;
  out[at] = first - x[p.start - p.strip * C4] + average;
  out[at + C4] = max(squares - sum * average, vec4f());
}

// The sum of a value of each thread, in a fixed order.
fn total(v: vec4f, t: u32) -> vec4f {
  tree[t] = v;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t < half) { tree[t] += tree[t + half]; }
  }
  return workgroupUniformLoad(&tree[0]);
}

// Joins the strips of a group: a workgroup for four channels of it.
@compute @workgroup_size(WORKGROUP)
fn moments(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) t: u32) {
  let i = id.x + id.y * grid.x;
  if (i >= sizes.groups * C4) { return; }
  let group = i / C4;
  let quad = i % C4;
  let parts = group * sizes.strips * 2u * C4 + quad;
  let count = f32(sizes.positions);

  var sum = vec4f();
  for (var s = t; s < sizes.strips; s += WORKGROUP) { sum += strip_length(s) * sums[parts + s * 2u * C4]; }
  let average = total(sum, t) / count;
  var squares = vec4f();
  for (var s = t; s < sizes.strips; s += WORKGROUP) {
    let v = sums[parts + s * 2u * C4] - average;
    squares += sums[parts + (s * 2u + 1u) * C4] + strip_length(s) * v * v;
  }
  squares = total(squares, t);
  if (t == 0u) {
    out[i] = x[group * sizes.positions * C4 + quad] + average;
    variance_out[i] = squares / count;
  }
}

// Running statistics take their share of the batch's, in place.
@compute @workgroup_size(WORKGROUP)
fn update(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  if (quad >= C4) { return; }
  out[quad] += sizes.momentum * (mean[quad] - out[quad]);
  variance_out[quad] += sizes.momentum * (variance[quad] * sizes.unbias - variance_out[quad]);
}

@compute @workgroup_size(WORKGROUP)
fn normalise(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let p = place(id, grid);
  if (!p.valid) { return; }
  let at = p.group * C4 + p.quad;
  let centre = mean[at];
  let s = slope(at, p.quad);
  let b = shift(p.quad);
  for (var i = p.start; i < p.end; i += p.step) {
    let y = (x[i] - centre) * s + b;
    out[i] = activated(y, y);
  }
}

// Σ dy and Σ dy·x̂ of each strip. Here and below dy is the one before the activation, whose sign is computed again.
@compute @workgroup_size(WORKGROUP)
fn strip_products(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let p = place(id, grid);
  if (!p.valid) { return; }
  let from_group = p.group * C4 + p.quad;
  let centre = mean[from_group];
  let s = slope(from_group, p.quad);
  let b = shift(p.quad);
  var sum = vec4f();
  var products = vec4f();
  for (var i = p.start; i < p.end; i += p.step) {
    let v = x[i] - centre;
    let d = activated(dy[i], v * s + b);
    sum += d;
    products += d * v;
  }
  let at = (p.group * sizes.strips + p.strip) * 2u * C4 + p.quad;
  out[at] = sum;
  out[at + C4] = products / deviation(variance[from_group]);
}

// dx where the statistics are those of x: w/σ·(dy - mean(dy) - x̂·mean(dy·x̂)). Ioffe, Szegedy 2015, section 3.
@compute @workgroup_size(WORKGROUP)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let p = place(id, grid);
  if (!p.valid) { return; }
  let at = p.group * C4 + p.quad;
  let centre = mean[at];
  let s = slope(at, p.quad);
  let b = shift(p.quad);
  let count = f32(sizes.positions);
  let level = sums[at + p.group * C4] / count;
  let tilt = sums[at + p.group * C4 + C4] / count / deviation(variance[at]);
  for (var i = p.start; i < p.end; i += p.step) {
    let v = x[i] - centre;
    out[i] = s * (activated(dy[i], v * s + b) - level - v * tilt);
  }
}

// dx where the statistics are given.
@compute @workgroup_size(WORKGROUP)
fn scale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let p = place(id, grid);
  if (!p.valid) { return; }
  let at = p.group * C4 + p.quad;
  let s = slope(at, p.quad);
  if (LEAK == 1.0) {
    for (var i = p.start; i < p.end; i += p.step) { out[i] = s * dy[i]; }
    return;
  }
  let centre = mean[at];
  let b = shift(p.quad);
  for (var i = p.start; i < p.end; i += p.step) { out[i] = s * activated(dy[i], (x[i] - centre) * s + b); }
}

// Σ over groups: of bias Σ dy, of weight Σ dy·x̂; of given statistics -w/σ·Σ dy and -w/2σ²·Σ dy·x̂.
@compute @workgroup_size(WORKGROUP)
fn parameter_gradient(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  if (quad >= C4) { return; }
  var sum = vec4f();
  for (var g = 0u; g < sizes.groups; g++) { sum += sums[(2u * g + OF % 2u) * C4 + quad]; }
  if (OF >= 2u) {
    sum *= -slope(quad, quad);
    if (OF == 3u) { sum *= 0.5 / deviation(variance[quad]); }
  }
  out[quad] = sum;
}
