// The largest magnitude in each of two tensors, as bits: the order of positive floats is that of their bits. Infinities and
// NaN do not count. Workgroup i of an operand leaves the largest of its share in part[i]; who needs it takes the largest part.
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
const C4 = 16u;           // channels of x / 4
const GROUPS = 256u;      // workgroups to an operand
const THREADS = 256u;
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> w: array<vec4f>;
@group(0) @binding(2) var<storage, read> slope: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> part: array<u32>;   // GROUPS of x, then GROUPS of w
var<workgroup> most: atomic<u32>;

fn load(i: u32) -> vec4f {
  let v = x[i];
  if (SLOPES == 0u) { return v; }
  return v * select(select(vec4f(slope[0].x), slope[i % C4], SLOPES == 1u), vec4f(1.0), v > vec4f());
}

fn magnitude(v: vec4f) -> u32 {
  let bits = bitcast<vec4u>(v) & vec4u(0x7fffffffu);
  let finite = select(vec4u(), bits, bits < vec4u(0x7f800000u));
  return max(max(finite.x, finite.y), max(finite.z, finite.w));
}

@compute @workgroup_size(THREADS)
fn largest(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  if (t == 0u) { atomicStore(&most, 0u); }
  workgroupBarrier();
  var mine = 0u;
  let first = group.x * THREADS + t;
  if (group.y == 0u) {
    for (var i = first; i < arrayLength(&x); i += GROUPS * THREADS) { mine = max(mine, magnitude(load(i))); }
  } else {
    for (var i = first; i < arrayLength(&w); i += GROUPS * THREADS) { mine = max(mine, magnitude(w[i])); }
  }
  atomicMax(&most, mine);                 // the order does not matter to a maximum
  workgroupBarrier();
  if (t == 0u) { part[group.y * GROUPS + group.x] = atomicLoad(&most); }
}
