// Moving average of weights. `update`: average = decay·average + (1 - decay)·weight; `swap` exchanges the two.
const WORKGROUP = 64u;
struct Uniforms { decay: f32 }
@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> average: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn update(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&weight)) { return; }
  average[i] = uniforms.decay * average[i] + (1.0 - uniforms.decay) * weight[i];
}

@compute @workgroup_size(WORKGROUP)
fn swap(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&weight)) { return; }
  let w = weight[i];
  weight[i] = average[i];
  average[i] = w;
}
