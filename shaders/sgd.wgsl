// Stochastic gradient descent with momentum, as in PyTorch: v = momentum·v + g + decay·w, w -= lr·v.
const WORKGROUP = 64u;
struct Hyper { lr: f32, momentum: f32, decay: f32 }
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn step(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&weight)) { return; }
  let velocity = hyper.momentum * v[i] + grad[i] + hyper.decay * weight[i];
  v[i] = velocity;
  weight[i] -= hyper.lr * velocity;
}
