// Pixel shuffle: R · R channels become squares of R x R pixels.
//   wide[c, h · R + i, w · R + j] = deep[c · R · R + i · R + j, h, w]
// deep is (C · R · R, H, W), wide is (C, H · R, W · R), the last axis without gaps.
// Dispatched: at least one invocation for each value of wide, 64 in a workgroup.
const C = 2u;             // channels of wide
const R = 2u;             // factor
const H = 8u;             // rows and columns of deep
const W = 8u;
@group(0) @binding(0) var<storage, read> deep: array<f32>;
@group(0) @binding(1) var<storage, read_write> wide: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {

}
