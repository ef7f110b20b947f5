// The tile: three frames x BLOCK channels x TILE positions. 64 invocations fill it; then each reads it for one position and
// every fourth output channel.
const CI = 4u;
const CO = 4u;
const D = 3u;
const P = 32u;
const TILE = 16u;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const BLOCK = 8u;                      // input channels held at a time
const ROWS = 64u / TILE;               // output channels computed at a time
const SUMS = (CO + ROWS - 1u) / ROWS;  // output channels of an invocation
var<workgroup> tile: array<f32, 3u * BLOCK * TILE>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let first = group.x * TILE;
  let column = t % TILE;
  var sums: array<f32, SUMS>;
  for (var c0 = 0u; c0 < CI; c0 += BLOCK) {
    workgroupBarrier();                // the tile before has been read
    for (var i = t; i < 3u * BLOCK * TILE; i += 64u) {
      let frame = i32(group.y + i / (BLOCK * TILE)) - 1;
      let ci = c0 + i / TILE % BLOCK;
      let p = first + i % TILE;
      var value = 0.0;
      if (frame >= 0 && frame < i32(D) && ci < CI && p < P) { value = x[(ci * D + u32(frame)) * P + p]; }
      tile[i] = value;
    }
    workgroupBarrier();                // this one is complete
    for (var s = 0u; s < SUMS; s++) {
      let o = min(s * ROWS + t / TILE, CO - 1u);
      for (var i = 0u; i < min(BLOCK, CI - c0); i++) {
        for (var a = 0u; a < 3u; a++) {
          sums[s] += weight[(o * CI + c0 + i) * 3u + a] * tile[(a * BLOCK + i) * TILE + column];
        }
      }
    }
  }
  for (var s = 0u; s < SUMS; s++) {
    let o = s * ROWS + t / TILE;
    if (o < CO && first + column < P) { y[(o * D + group.y) * P + first + column] = sums[s]; }
  }
}
