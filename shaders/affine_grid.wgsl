// The grid of an affine transform: out(y, x) = theta · (X, Y, 1), X and Y from -1 to 1 over the picture. Four numbers hold a
// column of theta, or a place of the grid: x, y, 0, 0.
const CORNERS = false;    // -1 and 1 are the centres of the border pixels, else their outer edges
const WORKGROUP = 64u;
struct Sizes { height: u32, width: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> theta: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

// A single pixel stands in the middle, as in PyTorch.
fn along(i: u32, size: u32) -> f32 {
  let from_centre = f32(2 * i32(i) + 1 - i32(size));
  if (CORNERS) { return from_centre / f32(max(size, 2u) - 1u); }
  return from_centre / f32(size);
}

fn place(p: u32) -> vec2f {
  let line = p / sizes.width;
  return vec2f(along(p - line * sizes.width, sizes.width), along(line % sizes.height, sizes.height));
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let p = id.x + id.y * grid.x * WORKGROUP;
  if (p >= arrayLength(&out)) { return; }
  let at = place(p);
  let n = p / (sizes.width * sizes.height);
  out[p] = fma(vec4f(at.x), theta[3u * n], fma(vec4f(at.y), theta[3u * n + 1u], theta[3u * n + 2u]));
}

// The terms of theta's gradient; their sum over a sample's pixels is the gradient.
@compute @workgroup_size(WORKGROUP)
fn products(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let p = id.x + id.y * grid.x * WORKGROUP;
  if (p >= arrayLength(&dy)) { return; }
  let at = place(p);
  out[3u * p] = at.x * dy[p];
  out[3u * p + 1u] = at.y * dy[p];
  out[3u * p + 2u] = dy[p];
}
