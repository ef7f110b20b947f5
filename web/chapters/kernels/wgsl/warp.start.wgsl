// Bilinear warp: y[c, h, w] = image[c] at row h + flow[1, h, w], column w + flow[0, h, w], from the four pixels around it.
// Pixels outside the image count as zero, each of the four for itself. image and y are (C, H, W), flow is (2, H, W).
// Dispatched: at least one invocation for each value of y, 64 in a workgroup.
const C = 3u;
const H = 8u;
const W = 8u;
@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read> flow: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {

}
