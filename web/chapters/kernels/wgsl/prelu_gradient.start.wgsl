// PReLU: y = x where x > 0, else slope[c] · x. Channel c, position p lies at c · P + p.
// Given dy, write
//   dx     (C, P)   dy where x > 0, else slope[c] · dy
//   dslope (C)      the sum over all positions of dy · x where x <= 0
// Dispatched: one workgroup of 64 invocations for each channel.
const C = 4u;             // channels
const P = 64u;            // positions: any number; the tests set both
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> slope: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<storage, read_write> dslope: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let c = group.x;

}
