// Functions of one number, four channels at a time: y = f(x), and dx = dy · f'(x) written in x or y, whichever is at hand.
const KIND = 0u;
const RELU = 0u;  const LEAKY_RELU = 1u;  const SIGMOID = 2u;  const TANH = 3u;  const ABS = 4u;
const SQRT = 5u;  const EXP = 6u;  const LOG = 7u;  const CLAMP = 8u;
const C4 = 1u;            // channels / 4, rounded up
const LANES = 4u;         // channels in the last four: f(0) may not be 0, but the padding must be
const WORKGROUP = 64u;
struct Attributes { low: f32, high: f32 }   // the bounds of clamp; leaky_relu has its slope in low
@group(0) @binding(0) var<uniform> attributes: Attributes;
@group(0) @binding(1) var<storage, read> v: array<vec4f>;    // x; going back, what the op saved: x or y
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

// Comparisons are written so that NaN stays NaN.
fn f(x: vec4f) -> vec4f {
  switch KIND {
    case RELU: { return select(x, vec4f(), x <= vec4f()); }
    case LEAKY_RELU: { return select(x, attributes.low * x, x <= vec4f()); }
    case SIGMOID: { return 1.0 / (1.0 + exp(-x)); }
    case TANH: {
      // The quotient loses digits near zero, where the series (next term 1e-8 of the sum) has them.
      let e = exp(-2.0 * abs(x));
      let s = x * x;
      let series = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * 62.0 / 2835.0))));
      return select(sign(x) * (1.0 - e) / (1.0 + e), series, abs(x) < vec4f(0.25));
    }
    case ABS: { return abs(x); }
    case SQRT: { return sqrt(x); }
    case EXP: { return exp(x); }
    case LOG: { return log(x); }
    default: {
      let y = select(x, vec4f(attributes.low), x < vec4f(attributes.low));
      return select(y, vec4f(attributes.high), y > vec4f(attributes.high));
    }
  }
}

fn slope(v: vec4f) -> vec4f {
  let one = vec4f(1.0);
  switch KIND {
    case RELU: { return select(vec4f(), one, v > vec4f()); }
    case LEAKY_RELU: { return select(vec4f(attributes.low), one, v > vec4f()); }
    case SIGMOID: { return v * (1.0 - v); }
    case TANH: { return 1.0 - v * v; }
    case ABS: { return sign(v); }
    case SQRT: { return 0.5 / v; }
    case EXP: { return v; }
    case LOG: { return 1.0 / v; }
    default: { return select(vec4f(), one, (v >= vec4f(attributes.low)) & (v <= vec4f(attributes.high))); }
  }
}

fn masked(i: u32, value: vec4f) -> vec4f {
  if (LANES == 4u || i % C4 != C4 - 1u) { return value; }
  return select(vec4f(), value, vec4u(0u, 1u, 2u, 3u) < vec4u(LANES));
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = masked(i, f(v[i]));
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = masked(i, dy[i] * slope(v[i]));
}
