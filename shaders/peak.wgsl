// What an adapter can do at best: arithmetic without memory, and memory without arithmetic. Every rate that we report
// stands beside these two.
const ROUNDS = 1024u;     // of 4 fused multiply-adds on four lanes, per invocation
const UNROLL = 4u;
const RUN = 16u;         // vectors that an invocation of read_all sums
const WORKGROUP = 64u;
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;

// Four chains on four lanes, so that a multiply-add need not wait for the one before it; no more, as they must all stay in
// a processor's sixteen vector registers. UNROLL rounds at a time, lest the loop itself be measured. The factors come from
// memory: a compiler could otherwise work the result out.
@compute @workgroup_size(WORKGROUP)
fn multiply_add(@builtin(global_invocation_id) id: vec3u) {
  let m = vec4f(x[0].x);
  let c = vec4f(x[1].x);
  var a0 = vec4f(f32(id.x));
  var a1 = a0 + 1.0;
  var a2 = a0 + 2.0;
  var a3 = a0 + 3.0;
  for (var i = 0u; i < ROUNDS; i += UNROLL) {
    for (var k = 0u; k < UNROLL; k++) {
      a0 = fma(a0, m, c);
      a1 = fma(a1, m, c);
      a2 = fma(a2, m, c);
      a3 = fma(a3, m, c);
    }
  }
  out[id.x] = a0 + a1 + a2 + a3;
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
