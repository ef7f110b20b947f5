// A gather: each value of the result finds where it comes from. Writes lie side by side, reads are R apart.
const C = 2u;
const R = 2u;
const H = 8u;
const W = 8u;
@group(0) @binding(0) var<storage, read> deep: array<f32>;
@group(0) @binding(1) var<storage, read_write> wide: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= C * H * R * W * R) { return; }
  let x = id.x % (W * R);
  let y = id.x / (W * R) % (H * R);
  let c = id.x / (W * R) / (H * R);
  let channel = c * R * R + y % R * R + x % R;
  wide[id.x] = deep[(channel * H + y / R) * W + x / R];
}
