// Correlation of two feature maps over a square of displacements, as FlowNetC has it:
//   out[y, x, (v + REACH)·D + u + REACH] = 1/C Σ_c a[y, x, c] · b[y + S·v, x + S·u, c],  u and v from -REACH to REACH,
// D = 2·REACH + 1, zeros outside b. Pixels S apart in a row share displaced pixels: four of them with seven displacements need
// four and ten loads for 28 products of quads. Invocations next to each other have the same pixels of a.
const C4 = 1u;            // channels / 4
const S = 1;              // pixels from one displacement to the next
const REACH = 4;
const INTO_A = true;      // gradient: of a, else of b
const WORKGROUP = 64u;
struct Sizes { height: i32, width: i32, share: f32 }   // 1/C
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;   // the result, channel by channel
const D = u32(2 * REACH + 1);
const PITCH = (D * D + 3u) / 4u * 4u;
const BLOCKS = (D + 6u) / 7u;   // of seven displacements along a row

// Four pixels S apart in a row, the first of them at x. A row has S runs of such groups.
struct Group { line: i32, y: i32, x: i32, exists: bool }

fn group_at(i: u32, lines: i32) -> Group {
  let groups = (sizes.width + 4 * S - 1) / (4 * S) * S;
  let line = i32(i) / groups;
  let g = i32(i) - line * groups;
  return Group(line, line % sizes.height, g / S * 4 * S + g % S, line < lines);
}

fn of_a(p: i32, x: i32, c4: u32) -> vec4f {
  if (x < 0 || x >= sizes.width) { return vec4f(); }
  return a[u32(p + x) * C4 + c4];
}
fn of_b(p: i32, x: i32, c4: u32) -> vec4f {
  if (x < 0 || x >= sizes.width) { return vec4f(); }
  return b[u32(p + x) * C4 + c4];
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  let lines = i32(arrayLength(&sums) / PITCH) / sizes.width;
  let at = group_at(i / (D * BLOCKS), lines);
  if (!at.exists) { return; }
  let v = i / BLOCKS % D;
  let block = i % BLOCKS;
  let shift = S * (i32(v) - REACH);
  let first = at.x + S * (i32(block) * 7 - REACH);
  var sum: array<vec4f, 7>;   // of each displacement: the four pixels
  for (var d = 0; d < 7; d++) { sum[d] = vec4f(); }
  if (at.y + shift >= 0 && at.y + shift < sizes.height) {
    let p = at.line * sizes.width;
    let q = p + shift * sizes.width;
    for (var c4 = 0u; c4 < C4; c4++) {
      let a0 = of_a(p, at.x, c4);
      let a1 = of_a(p, at.x + S, c4);
      let a2 = of_a(p, at.x + 2 * S, c4);
      let a3 = of_a(p, at.x + 3 * S, c4);
      var b0 = of_b(q, first, c4);
      var b1 = of_b(q, first + S, c4);
      var b2 = of_b(q, first + 2 * S, c4);
      for (var d = 0; d < 7; d++) {
        let b3 = of_b(q, first + (d + 3) * S, c4);
        sum[d] += vec4f(dot(a0, b0), dot(a1, b1), dot(a2, b2), dot(a3, b3));
        b0 = b1;
        b1 = b2;
        b2 = b3;
      }
    }
  }
  for (var j = 0; j < 4; j++) {
    let x = at.x + j * S;
    if (x >= sizes.width) { break; }
    let to = u32(at.line * sizes.width + x) * PITCH;
    for (var d = 0u; d < min(7u, D - block * 7u); d++) { sums[to + v * D + block * 7u + d] = sizes.share * sum[d][j]; }
    if (v == 0u && block == 0u) {
      for (var k = D * D; k < PITCH; k++) { sums[to + k] = 0.0; }
    }
  }
}

// Four pixels of a gather from the b around each of them, four of b from the a that were displaced to them.
@compute @workgroup_size(WORKGROUP)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  let lines = i32(arrayLength(&out) / C4) / sizes.width;
  let at = group_at(i / C4, lines);
  if (!at.exists) { return; }
  let c4 = i % C4;
  let p = at.line * sizes.width;
  var sum: array<vec4f, 4>;
  for (var j = 0; j < 4; j++) { sum[j] = vec4f(); }
  for (var v = -REACH; v <= REACH; v++) {
    let shift = select(-S * v, S * v, INTO_A);
    if (at.y + shift < 0 || at.y + shift >= sizes.height) { continue; }
    let q = p + shift * sizes.width;
    let row = u32(v + REACH) * D;
    for (var m = -REACH; m <= REACH + 3; m++) {
      let x = at.x + m * S;
      if (x < 0 || x >= sizes.width) { continue; }
      var other: vec4f;
      if (INTO_A) { other = of_b(q, x, c4); } else { other = of_a(q, x, c4); }
      for (var j = 0; j < 4; j++) {
        let u = select(j - m, m - j, INTO_A);
        let own = at.x + j * S;
        if (abs(u) > REACH || own >= sizes.width) { continue; }
        let from_a = select(q + x, p + own, INTO_A);
        sum[j] = fma(vec4f(dy[u32(from_a) * PITCH + row + u32(u + REACH)]), other, sum[j]);
      }
    }
  }
  for (var j = 0; j < 4; j++) {
    let x = at.x + j * S;
    if (x < sizes.width) { out[u32(p + x) * C4 + c4] = sizes.share * sum[j]; }
  }
}
