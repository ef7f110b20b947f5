// Mean losses over d = input - target: each thread adds f(d) over every T-th four channels (T threads in all), further passes
// add the T sums. Going back, dx = dy · scale · f'(d).
const KIND = 0u;
const L1 = 0u;  const MSE = 1u;  const CHARBONNIER = 2u;      // else: Huber
const C4 = 1u;            // channels / 4, rounded up
const LANES = 4u;         // channels in the last four; the padding does not count, though f(0) may not be 0
const WORKGROUP = 64u;
struct Attributes { parameter: f32, scale: f32 }              // ε or δ
@group(0) @binding(0) var<uniform> attributes: Attributes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> target_: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;    // one number
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;

fn f(d: vec4f) -> vec4f {
  let p = attributes.parameter;
  switch KIND {
    case L1: { return abs(d); }
    case MSE: { return d * d; }
    case CHARBONNIER: { return sqrt(d * d + p * p); }
    default: { return select(p * (abs(d) - 0.5 * p), 0.5 * d * d, abs(d) <= vec4f(p)); }
  }
}

fn slope(d: vec4f) -> vec4f {
  let p = attributes.parameter;
  switch KIND {
    case L1: { return sign(d); }
    case MSE: { return 2.0 * d; }
    case CHARBONNIER: { return d / sqrt(d * d + p * p); }
    default: { return clamp(d, vec4f(-p), vec4f(p)); }
  }
}

@compute @workgroup_size(WORKGROUP)
fn terms(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  let threads = arrayLength(&out);
  if (i >= threads) { return; }
  var sum = vec4f();
  for (var q = i; q < arrayLength(&x); q += threads) {
    var v = f(x[q] - target_[q]);
    if (LANES < 4u && q % C4 == C4 - 1u) { v = select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(LANES)); }
    sum += v;
  }
  out[i] = sum;
}

@compute @workgroup_size(WORKGROUP)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = dy[0].x * attributes.scale * slope(x[i] - target_[i]);
}
