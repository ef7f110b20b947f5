// Exchanges the two channel axes of a filter, group by group: (taps, B, A·GROUPS) becomes (taps, A, B·GROUPS), where
// out[tap][a][group·B + b] = w[tap][b][group·A + a]. Filters lie taps first, both channel axes padded.
const A = 4u;             // last channels of a group
const B = 4u;             // inner channels
const GROUPS = 1u;        // in phase_order: phases, r·r
const TAPS = 1u;
const REVERSE = false;    // also turns the filter round: taps in reverse order
const WORKGROUP = 64u;
@group(0) @binding(0) var<storage, read> w: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;

const PITCH = (A * GROUPS + 3u) / 4u * 4u;
const OUT4 = (B * GROUPS + 3u) / 4u;
const ROWS = (B + 3u) / 4u * 4u;
const OUT_ROWS = (A + 3u) / 4u * 4u;

@compute @workgroup_size(WORKGROUP)
fn exchange(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let a = i / OUT4 % OUT_ROWS;
  let out_tap = i / (OUT4 * OUT_ROWS);
  let tap = select(out_tap, TAPS - 1u - out_tap, REVERSE);
  var v = vec4f();
  for (var l = 0u; l < 4u; l++) {
    let c = i % OUT4 * 4u + l;
    if (c < B * GROUPS && a < A) { v[l] = w[(tap * ROWS + c % B) * PITCH + c / B * A + a]; }
  }
  out[i] = v;
}

// Output channels (channel, phase) of a convolution before a pixel shuffle, in the order (phase, channel), where the channels
// of a phase lie together and are padded: out[row][phase·A4·4 + a] = w[row][a·GROUPS + phase].
@compute @workgroup_size(WORKGROUP)
fn phase_order(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let row = i / (OUT_ROWS / 4u * GROUPS);
  let phase = i / (OUT_ROWS / 4u) % GROUPS;
  var v = vec4f();
  for (var l = 0u; l < 4u; l++) {
    let a = i % (OUT_ROWS / 4u) * 4u + l;
    if (a < A) { v[l] = w[row * PITCH + a * GROUPS + phase]; }
  }
  out[i] = v;
}
