// Sub-pixel rearrangement, channels last: deep[p, c·R² + i·R + j] = wide[p·R + (i, j), c], frame by frame; or, in TensorFlow's
// order of channels, deep[p, (i·R + j)·C + c].
// Both ways move the same numbers, so one pair of entry points serves shuffle, unshuffle and their gradients.
const C = 4u;             // channels of the wide side
const R = 2u;             // factor
const DCR = false;        // TensorFlow's order: blocks (depth) before channels
const WORKGROUP = 64u;
struct Sizes { width: u32, rows: u32 }   // W of the deep side, and its N·D·H
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> deep: array<vec4f>;
@group(0) @binding(2) var<storage, read> wide: array<vec4f>;
@group(0) @binding(3) var<storage, read> deep_channels: array<f32>;   // the same, channel by channel
@group(0) @binding(4) var<storage, read> wide_channels: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4f>;
const C4 = (C + 3u) / 4u;
const TAPS = R * R;
const DEEP4 = (C * TAPS + 3u) / 4u;

// Where the pixel (i, j) of a deep position's square lies on the wide side.
fn pixel(row: u32, column: u32, tap: u32) -> u32 {
  return ((row * R + tap / R) * sizes.width + column) * R + tap % R;
}

// R even: a quad of the deep side holds four taps of one channel, a quad of the wide side four channels of one tap. An
// invocation takes four of either, four channels by four taps, and turns them round.
const QUADS = TAPS / 4u;
struct Square { row: u32, column: u32, c4: u32, quad: u32, deep: u32, exists: bool }

fn square(i: u32) -> Square {
  let position = i / (C4 * QUADS);
  let row = position / sizes.width;
  let c4 = i / QUADS % C4;
  let quad = i % QUADS;
  return Square(row, position - row * sizes.width, c4, quad, position * DEEP4 + c4 * TAPS + quad, row < sizes.rows);
}
fn wide_at(s: Square, m: u32) -> u32 { return pixel(s.row, s.column, s.quad * 4u + m) * C4 + s.c4; }

fn deep_quad(s: Square, l: u32) -> vec4f {
  if (s.c4 * 4u + l >= C) { return vec4f(); }   // the wide side's padding
  return deep[s.deep + l * QUADS];
}

@compute @workgroup_size(WORKGROUP)
fn shuffle_even(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let s = square(id.x + id.y * grid.x * WORKGROUP);
  if (!s.exists) { return; }
  let channels = transpose(mat4x4f(deep_quad(s, 0u), deep_quad(s, 1u), deep_quad(s, 2u), deep_quad(s, 3u)));
  out[wide_at(s, 0u)] = channels[0];
  out[wide_at(s, 1u)] = channels[1];
  out[wide_at(s, 2u)] = channels[2];
  out[wide_at(s, 3u)] = channels[3];
}

@compute @workgroup_size(WORKGROUP)
fn unshuffle_even(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let s = square(id.x + id.y * grid.x * WORKGROUP);
  if (!s.exists) { return; }
  let taps = transpose(mat4x4f(wide[wide_at(s, 0u)], wide[wide_at(s, 1u)], wide[wide_at(s, 2u)], wide[wide_at(s, 3u)]));
  let c = s.c4 * 4u;
  out[s.deep] = taps[0];
  if (c + 1u < C) { out[s.deep + QUADS] = taps[1]; }
  if (c + 2u < C) { out[s.deep + 2u * QUADS] = taps[2]; }
  if (c + 3u < C) { out[s.deep + 3u * QUADS] = taps[3]; }
}

// TensorFlow's order, C a multiple of four: quads move as they are.
@compute @workgroup_size(WORKGROUP)
fn shuffle_quads(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let line = i / C4 / (sizes.width * R);
  let x = i / C4 - line * sizes.width * R;
  let position = line / R * sizes.width + x / R;
  out[i] = deep[position * DEEP4 + (line % R * R + x % R) * C4 + i % C4];
}

@compute @workgroup_size(WORKGROUP)
fn unshuffle_quads(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let row = i / DEEP4 / sizes.width;
  let column = i / DEEP4 - row * sizes.width;
  let quad = i % DEEP4;
  out[i] = wide[pixel(row, column, quad / C4) * C4 + quad % C4];
}

// Any R: an invocation gathers the four channels of one quad of the result.
@compute @workgroup_size(WORKGROUP)
fn shuffle_any(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let c = i % C4 * 4u;
  let line = i / C4 / (sizes.width * R);               // row of the wide side
  let x = i / C4 - line * sizes.width * R;
  let position = line / R * sizes.width + x / R;
  let tap = line % R * R + x % R;
  var v = vec4f();
  for (var l = 0u; l < min(4u, C - c); l++) {
    let k = select((c + l) * TAPS + tap, tap * C + c + l, DCR);
    v[l] = deep_channels[position * DEEP4 * 4u + k];
  }
  out[i] = v;
}

@compute @workgroup_size(WORKGROUP)
fn unshuffle_any(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let k = i % DEEP4 * 4u;
  let row = i / DEEP4 / sizes.width;
  let column = i / DEEP4 - row * sizes.width;
  var v = vec4f();
  for (var l = 0u; l < min(4u, C * TAPS - k); l++) {
    let tap = select((k + l) % TAPS, (k + l) / C, DCR);
    let c = select((k + l) / TAPS, (k + l) % C, DCR);
    v[l] = wide_channels[pixel(row, column, tap) * C4 * 4u + c];
  }
  out[i] = v;
}
