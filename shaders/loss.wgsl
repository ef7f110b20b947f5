// Mean losses over x and t, most of them over d = x - t: each thread adds f(x, t) over every T-th four channels (T threads in
// all), further passes add the T sums. Going back, dx = dy · scale · ∂f/∂x, and dt = -dx but for BCE.
const KIND = 0u;
const L1 = 0u;  const MSE = 1u;  const CHARBONNIER = 2u;  const BCE = 3u;      // else: Huber
const OF_TARGET = false;  // BCE: the gradient of the target, but for its sign
const C4 = 1u;            // channels / 4, rounded up
const LANES = 4u;         // channels in the last four; the padding does not count, though f(0, 0) may not be 0
const WORKGROUP = 64u;
struct Attributes { parameter: f32, scale: f32 }              // ε or δ
@group(0) @binding(0) var<uniform> attributes: Attributes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> target_: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;    // one number
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;

// log(1 + e) for 0 <= e <= 1 to all digits, small e too: 2 artanh(e / (2 + e)).
fn log1p(e: vec4f) -> vec4f {
  let s = e / (2.0 + e);
  let q = s * s;
  return 2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q / 13.0))))));
}

fn f(x: vec4f, t: vec4f) -> vec4f {
  let d = x - t;
  let p = attributes.parameter;
  switch KIND {
    case L1: { return abs(d); }
    case MSE: { return d * d; }
    case CHARBONNIER: { return sqrt(d * d + p * p); }
    case BCE: { return max(x, vec4f()) - x * t + log1p(exp(-abs(x))); }
    default: { return select(p * (abs(d) - 0.5 * p), 0.5 * d * d, abs(d) <= vec4f(p)); }
  }
}

fn slope(x: vec4f, t: vec4f) -> vec4f {
  let d = x - t;
  let p = attributes.parameter;
  switch KIND {
    case L1: { return sign(d); }
    case MSE: { return 2.0 * d; }
    case CHARBONNIER: { return d / sqrt(d * d + p * p); }
    case BCE: { return select(1.0 / (1.0 + exp(-x)) - t, x, OF_TARGET); }
    default: { return clamp(d, vec4f(-p), vec4f(p)); }
  }
}

fn masked(q: u32, v: vec4f) -> vec4f {
  if (LANES == 4u || q % C4 != C4 - 1u) { return v; }
  return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(LANES));
}

@compute @workgroup_size(WORKGROUP)
fn terms(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  let threads = arrayLength(&out);
  if (i >= threads) { return; }
  var sum = vec4f();
  for (var q = i; q < arrayLength(&x); q += threads) { sum += masked(q, f(x[q], target_[q])); }
  out[i] = sum;
}

@compute @workgroup_size(WORKGROUP)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = masked(i, dy[0].x * attributes.scale * slope(x[i], target_[i]));
}
