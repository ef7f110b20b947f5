// Each value of the result looks up its four pixels; one that lies outside gives zero.
const C = 3u;
const H = 8u;
const W = 8u;
@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read> flow: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn pixel(c: u32, row: i32, column: i32) -> f32 {
  if (row < 0 || row >= i32(H) || column < 0 || column >= i32(W)) { return 0.0; }
  return image[(c * H + u32(row)) * W + u32(column)];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= C * H * W) { return; }
  let p = id.x % (H * W);
  let c = id.x / (H * W);
  let at = vec2f(f32(p % W), f32(p / W)) + vec2f(flow[p], flow[H * W + p]);
  let first = floor(at);
  let t = at - first;
  let q = vec2i(first);
  let top = mix(pixel(c, q.y, q.x), pixel(c, q.y, q.x + 1), t.x);
  let bottom = mix(pixel(c, q.y + 1, q.x), pixel(c, q.y + 1, q.x + 1), t.x);
  y[id.x] = mix(top, bottom, t.y);
}
