// Gradient clipping: by global norm (squares are summed elsewhere), and by value; and scaling by a number.
const WORKGROUP = 64u;
struct Limit { most: f32 }   // largest norm or value, or the factor
@group(0) @binding(0) var<uniform> limit: Limit;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> total: array<f32>;      // sum of squares of all gradients
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

fn index(id: vec3u, grid: vec3u) -> u32 { return id.x + id.y * grid.x * WORKGROUP; }

@compute @workgroup_size(WORKGROUP)
fn square(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = index(id, grid);
  if (i < arrayLength(&out)) { out[i] = x[i] * x[i]; }
}

// Pascanu et al. 2013, algorithm 1: g·most / max(most, ‖g‖).
@compute @workgroup_size(WORKGROUP)
fn by_norm(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = index(id, grid);
  if (i < arrayLength(&out)) { out[i] *= limit.most / max(limit.most, sqrt(total[0])); }
}

@compute @workgroup_size(WORKGROUP)
fn by_value(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = index(id, grid);
  if (i < arrayLength(&out)) { out[i] = clamp(out[i], vec4f(-limit.most), vec4f(limit.most)); }
}

@compute @workgroup_size(WORKGROUP)
fn scale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = index(id, grid);
  if (i < arrayLength(&out)) { out[i] *= limit.most; }
}
