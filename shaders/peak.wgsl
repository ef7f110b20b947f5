// What an adapter can do at best: arithmetic without memory, and memory without arithmetic. Every rate that we report
// stands beside these two.
const ROUNDS = 512u;     // of 8 fused multiply-adds on four lanes, per invocation
const RUN = 16u;         // vectors that an invocation of read_all sums
const WORKGROUP = 64u;
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;

// Eight chains, so that a multiply-add need not wait for the one before it. The factors come from memory: a compiler
// could otherwise work the result out.
@compute @workgroup_size(WORKGROUP)
fn multiply_add(@builtin(global_invocation_id) id: vec3u) {
  let m = x[0];
  let c = x[1];
  var a0 = vec4f(f32(id.x));
  var a1 = a0 + 1.0;
  var a2 = a0 + 2.0;
  var a3 = a0 + 3.0;
  var a4 = a0 + 4.0;
  var a5 = a0 + 5.0;
  var a6 = a0 + 6.0;
  var a7 = a0 + 7.0;
  for (var i = 0u; i < ROUNDS; i++) {
    a0 = fma(a0, m, c);
    a1 = fma(a1, m, c);
    a2 = fma(a2, m, c);
    a3 = fma(a3, m, c);
    a4 = fma(a4, m, c);
    a5 = fma(a5, m, c);
    a6 = fma(a6, m, c);
    a7 = fma(a7, m, c);
  }
  out[id.x] = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7;
}

@compute @workgroup_size(WORKGROUP)
fn copy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i < arrayLength(&out)) { out[i] = x[i]; }
}

// Neighbours read neighbouring vectors; one vector in RUN is written.
@compute @workgroup_size(WORKGROUP)
fn read_all(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) t: u32) {
  let g = group.x + group.y * grid.x;
  var sum = vec4f();
  for (var i = 0u; i < RUN; i++) { sum += x[(g * RUN + i) * WORKGROUP + t]; }
  let at = g * WORKGROUP + t;
  if (at < arrayLength(&out)) { out[at] = sum; }
}
