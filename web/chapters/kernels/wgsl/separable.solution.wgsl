// An invocation owns a pixel and walks through the frames. It keeps the last three frames of the middle tensor, all channels
// of its pixel, and writes a frame as soon as the one after it is known.
const CI = 4u;
const CO = 4u;
const D = 3u;
const H = 8u;
const W = 8u;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> slope: array<f32>;
@group(0) @binding(2) var<storage, read> ws: array<f32>;
@group(0) @binding(3) var<storage, read> wt: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn load(ci: u32, d: u32, row: i32, column: i32) -> f32 {
  if (row < 0 || row >= i32(H) || column < 0 || column >= i32(W)) { return 0.0; }
  let v = x[((ci * D + d) * H + u32(row)) * W + u32(column)];
  return v * select(slope[ci], 1.0, v > 0.0);
}

fn middle(d: u32, row: i32, column: i32) -> array<f32, CO> {
  var sums = array<f32, CO>();
  for (var ci = 0u; ci < CI; ci++) {
    for (var tap = 0u; tap < 9u; tap++) {
      let v = load(ci, d, row + i32(tap / 3u) - 1, column + i32(tap % 3u) - 1);   // one load for all output channels
      for (var o = 0u; o < CO; o++) { sums[o] += ws[(o * CI + ci) * 9u + tap] * v; }
    }
  }
  return sums;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= H * W) { return; }
  var before = array<f32, CO>();
  var now = array<f32, CO>();
  var next = array<f32, CO>();
  for (var t = 0u; t <= D; t++) {
    before = now;
    now = next;
    next = array<f32, CO>();           // after the last frame: zeros
    if (t < D) { next = middle(t, i32(id.x / W), i32(id.x % W)); }
    if (t == 0u) { continue; }         // the frame before the first
    for (var o = 0u; o < CO; o++) {
      var sum = 0.0;
      for (var m = 0u; m < CO; m++) {
        let w = (o * CO + m) * 3u;
        sum += wt[w] * before[m] + wt[w + 1u] * now[m] + wt[w + 2u] * next[m];
      }
      y[(o * D + t - 1u) * H * W + id.x] = sum;
    }
  }
}
