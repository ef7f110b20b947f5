// Adam, one dispatch a parameter (Kingma, Ba 2015, algorithm 1, with the bias corrections folded into the step size).
// Padding stays zero: its gradient and moments are zero.
const WORKGROUP = 64u;
struct Hyper {
  step_size: f32,         // lr / (1 - beta1^t)
  root_correction: f32,   // 1 / sqrt(1 - beta2^t)
  beta1: f32,
  beta2: f32,
  eps: f32,
  decay: f32,             // weight decay, added to the gradient as in PyTorch's Adam
}
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn step(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&weight)) { return; }
  let g = grad[i] + hyper.decay * weight[i];
  let first = mix(g, m[i], hyper.beta1);
  let second = mix(g * g, v[i], hyper.beta2);
  m[i] = first;
  v[i] = second;
  weight[i] -= hyper.step_size * first / (sqrt(second) * hyper.root_correction + hyper.eps);
}
