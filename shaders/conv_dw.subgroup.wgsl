// Weight gradient of a convolution, one group (see conv_dw.direct.wgsl for the formula), for adapters whose subgroups have
// eight lanes. LA of a subgroup's lanes lie along dense's channels (four each), LB along those of x (4·BN each), LP along
// chunks of positions. A subgroup computes TAPS taps between them. LA positions are taken at a time: each lane loads its own
// channels of dense for all of them, and x for one of them; shuffles hand x to the lanes that multiply it. Sums stay in
// registers.
enable subgroups;
alias X = vec4f;          // channels of x loaded at a time: vec4f, or f32 where there is one
const REAL = 4u;          // channels in a vec4 of x: 4, or fewer where x has fewer
const XC4 = 16u;          // channels of x / 4
const A4 = 16u;           // channels of dense / 4
const LA = 8u;            // 8, 4 or 2
const LB = 1u;
const LP = 1u;            // 8 / (LA·LB); divides CHUNKS
const BN = 2u;            // channels of x / 4 of a lane
const TAPS = 3u;          // divides the taps of the filter
const CHUNKS = 1u;
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
struct Geometry {
  src: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  kernel: vec4i,
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read> dense: array<vec4f>;
@group(0) @binding(3) var<storage, read> slope: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> part: array<vec4f>;
const A_BLOCKS = (A4 + LA - 1u) / LA;
const PITCH = select(XC4, 4u, REAL == 1u);

// What the PReLU of x multiplies values below zero with.
fn slopes(c4: u32) -> vec4f {
  if (SLOPES == 0u) { return vec4f(1.0); }
  return select(vec4f(slope[0].x), slope[c4], SLOPES == 1u);
}

fn load(p: i32, end: i32, a: u32) -> vec4f {
  return select(vec4f(), dense[u32(min(p, end - 1)) * A4 + a], p < end);
}

// Whole numbers divided by way of floats, and put right: processors divide whole numbers lane by lane.
fn divide(a: i32, b: i32) -> i32 {
  let inverse = 1.0 / f32(b);
  var q = i32(f32(a) * inverse);
  q += i32(f32(a - q * b) * inverse);
  let rest = a - q * b;
  return q + select(0, 1, rest >= b) - select(0, 1, rest < 0);
}

@compute @workgroup_size(8)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let along = lane / LA;
  let mine = along * LA;                                       // the first of the lanes that loaded this lane's x
  let a = min(group.y % A_BLOCKS * LA + lane % LA, A4 - 1u);   // lanes past the end repeat the last channels
  let b0 = (group.y / A_BLOCKS * LB + along % LB) * BN;
  let chunk = group.z * LP + along / LB;
  let positions = g.src.w * g.grid.x * g.grid.y * g.grid.z;
  let length = (positions + i32(CHUNKS) - 1) / i32(CHUNKS);
  let first = i32(chunk) * length;
  let end = min(first + length, positions);
  var shifts: array<vec3i, TAPS>;
  for (var t = 0u; t < TAPS; t++) {
    let tap = i32(group.x * TAPS + t);
    let row = tap / g.kernel.z;
    shifts[t] = vec3i(row / g.kernel.y, row % g.kernel.y, tap % g.kernel.z) * g.off_step.xyz;
  }
  var leaks: array<vec4f, BN>;                                 // the PReLU of x
  for (var b = 0u; b < BN; b++) { leaks[b] = slopes(min(b0 + b, XC4 - 1u)); }
  var sums: array<vec4f, TAPS * BN * REAL>;
  for (var step = 0; step < length; step += i32(LA)) {
    let p0 = first + step;
    let p = p0 + i32(lane % LA);
    let row = divide(p, g.grid.z);
    let plane = divide(row, g.grid.y);
    let n = divide(plane, g.grid.x);
    let q = vec3i(plane - n * g.grid.x, row - plane * g.grid.y, p - row * g.grid.z) * g.is.xyz + g.off.xyz;
    var values: array<vec4f, TAPS * BN>;
    for (var t = 0u; t < TAPS; t++) {
      let v = q + shifts[t];
      let inside = p < end && all(v >= vec3i()) && all(v < g.src.xyz);
      let at = u32(select(0, ((n * g.src.x + v.x) * g.src.y + v.y) * g.src.z + v.z, inside)) * PITCH;
      for (var b = 0u; b < BN; b++) {
        let u = select(vec4f(), vec4f(x[at + min(b0 + b, XC4 - 1u)]), inside);
        values[t * BN + b] = u;
        if (SLOPES != 0u) { values[t * BN + b] *= select(leaks[b], vec4f(1.0), u > vec4f()); }
      }
    }
    for (var j = 0u; j < LA; j += 2u) {                        // two positions for each time that a sum is fetched and put back
      var v0 = load(p0 + i32(j + along % min(LB, 2u)), end, a);
      var v1 = v0;
      if (LB == 1u) {
        v1 = load(p0 + i32(j) + 1, end, a);
      } else {                                                 // of two neighbours along x's channels each loads one
        v1 = subgroupShuffle(v0, lane | LA);
        v0 = subgroupShuffle(v0, lane & ~LA);
      }
      for (var i = 0u; i < TAPS * BN; i++) {
        let u0 = subgroupShuffle(values[i], mine + j);
        let u1 = subgroupShuffle(values[i], mine + j + 1u);
        let s = i * REAL;
        sums[s] = fma(v1, vec4f(u1.x), fma(v0, vec4f(u0.x), sums[s]));
        if (REAL > 1u) { sums[s + 1u] = fma(v1, vec4f(u1.y), fma(v0, vec4f(u0.y), sums[s + 1u])); }
        if (REAL > 2u) { sums[s + 2u] = fma(v1, vec4f(u1.z), fma(v0, vec4f(u0.z), sums[s + 2u])); }
        if (REAL > 3u) { sums[s + 3u] = fma(v1, vec4f(u1.w), fma(v0, vec4f(u0.w), sums[s + 3u])); }
      }
    }
  }
  let taps = u32(g.kernel.x * g.kernel.y * g.kernel.z);
  for (var t = 0u; t < TAPS; t++) {
    for (var b = 0u; b < BN; b++) {
      let row = ((chunk * taps + group.x * TAPS + t) * XC4 + min(b0 + b, XC4 - 1u)) * 4u;
      for (var l = 0u; l < REAL; l++) { part[(row + l) * A4 + a] = sums[(t * BN + b) * REAL + l]; }
      for (var l = REAL; l < 4u; l++) { part[(row + l) * A4 + a] = vec4f(); }
    }
  }
}
