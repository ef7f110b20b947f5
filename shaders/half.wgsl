// Floats in half the memory: two 16-bit floats in each word. Largest value 65,504, 11 significant bits.
const MOST = 65504.0;
const WORKGROUP = 64u;
@group(0) @binding(0) var<storage, read> wide: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> half: array<vec2u>;
@group(0) @binding(2) var<storage, read> packed: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn pack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&half)) { return; }
  let v = clamp(wide[i], vec4f(-MOST), vec4f(MOST));
  half[i] = vec2u(pack2x16float(v.xy), pack2x16float(v.zw));
}

@compute @workgroup_size(WORKGROUP)
fn unpack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = vec4f(unpack2x16float(packed[i].x), unpack2x16float(packed[i].y));
}
