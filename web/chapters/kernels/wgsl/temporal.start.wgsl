// A 3x1x1 convolution with tiles: y[o, d, p] = Σ over i, a of weight[o, i, a] · x[i, d + a - 1, p], zeros beyond both ends.
// x is (CI, D, P), weight (CO, CI, 3), y (CO, D, P); p counts the pixels of a frame.
// Dispatched: a workgroup of 64 invocations for each frame d (group.y) and each TILE positions (group.x).
// What a workgroup reads of x shall pass through workgroup memory: one load for each value, many uses.
const CI = 4u;
const CO = 4u;
const D = 3u;             // frames
const P = 32u;            // positions of a frame
const TILE = 16u;         // positions of a workgroup, fixed
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {

}
