// A fused separable block: y = wt ∗ (ws ∗ prelu(x)), ws over 1 x 3 x 3, wt over 3 x 1 x 1, zeros around x and, in time, around
// what lies between the two. That middle tensor shall never be in memory: there is no binding for it.
// x is (CI, D, H, W), slope (CI), ws (CO, CI, 3, 3), wt (CO, CO, 3), y (CO, D, H, W).
// Dispatched: at least one invocation for each pixel of a frame, 64 in a workgroup; it takes that pixel of all frames.
const CI = 4u;
const CO = 4u;
const D = 3u;
const H = 8u;
const W = 8u;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> slope: array<f32>;
@group(0) @binding(2) var<storage, read> ws: array<f32>;
@group(0) @binding(3) var<storage, read> wt: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {

}
