// Two operands, element by element, either repeated along some axes; four channels at a time. The axes of the result that
// step alike in both operands are merged beforehand, so equal shapes are one axis, and only odd pairs divide indices.
const KIND = 0u;
const ADD = 0u;  const SUB = 1u;  const MUL = 2u;      // else: divide
const AXES = 1u;          // up to four
const C4 = 1u;            // quads of channels: an axis of its own where they step alone, where their padding must be kept zero, or as a fifth
const LANES = 4u;         // channels in the last quad
const A_STEP = 0u;        // from quad to quad
const B_STEP = 0u;
const A_SPLAT = false;    // one channel for all
const B_SPLAT = false;
const WORKGROUP = 64u;
struct Axes { lengths: vec4u, a_steps: vec4u, b_steps: vec4u, scale: f32 }   // innermost first; step 0 repeats
@group(0) @binding(0) var<uniform> axes: Axes;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;

// Where a and b hold quad i of the result.
fn locate(i: u32) -> vec2u {
  var p = i / C4;
  var at = i % C4 * vec2u(A_STEP, B_STEP);
  for (var k = 0u; k < AXES - 1u; k++) {
    at += p % axes.lengths[k] * vec2u(axes.a_steps[k], axes.b_steps[k]);
    p /= axes.lengths[k];
  }
  return at + p * vec2u(axes.a_steps[AXES - 1u], axes.b_steps[AXES - 1u]);
}

fn splat(v: vec4f, one: bool) -> vec4f { return select(v, v.xxxx, one); }

fn masked(i: u32, value: vec4f) -> vec4f {
  if (LANES == 4u || i % C4 != C4 - 1u) { return value; }
  return select(vec4f(), value, vec4u(0u, 1u, 2u, 3u) < vec4u(LANES));
}

@compute @workgroup_size(WORKGROUP)
fn combine(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let at = locate(i);
  let p = splat(a[at.x], A_SPLAT);
  let q = splat(b[at.y], B_SPLAT);
  var v: vec4f;
  switch KIND {
    case ADD: { v = p + axes.scale * q; }
    case SUB: { v = p - q; }
    case MUL: { v = p * q; }
    default: { v = p / q; }
  }
  out[i] = masked(i, v);
}

// y = p / b gives -p / b² = -y / b.
@compute @workgroup_size(WORKGROUP)
fn divisor_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = masked(i, -a[i] * y[i] / splat(b[locate(i).y], B_SPLAT));   // a is dy
}

@compute @workgroup_size(WORKGROUP)
fn expand(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = masked(i, axes.scale * splat(a[locate(i).x], A_SPLAT));
}
