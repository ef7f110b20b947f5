// Separable 3D convolution, both factors in one pass: m = ws ∗ prelu(x) + bias_s over 1 x K x K, y = wt ∗ m + bias_t over
// K x 1 x 1 (+ residual); stride 1, zeros around x and around m. For adapters whose subgroups have eight lanes.
// A subgroup owns 8·REGS neighbouring positions of a frame (of all rows and samples) and all channels, and walks through
// the frames: it computes m of one frame, keeps the last K frames of m in registers, and computes y of the frame in the
// middle of these. LC lanes lie along channels, 8/LC along positions; a lane keeps four channels of P = REGS·LC positions.
// Values pass from lane to lane by shuffles alone, as in conv.subgroup.wgsl: no workgroup memory, no barrier.
// Registers have no addresses, so the frames of m are not indexed but turned: the next one needed always lies in front.
enable subgroups;
const REAL = 4u;          // channels in a vec4 of x: 4, or fewer where x has fewer
const CI4 = 4u;           // input channels / 4
const CO4 = 4u;           // output channels / 4, at most LC
const LC = 4u;            // 8, 4 or 2
const REGS = 6u;
const K = 3u;
const BIAS_S = false;
const BIAS_T = false;
const RESIDUAL = false;   // added to the result
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
struct Geometry {
  src: vec4i,             // D, H, W, N
  keep: u32,              // m is also written, for the gradient of wt
  k: i32,                 // K again: so loops over it stay loops, and little is to be compiled
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> ws: array<vec4f>;       // K·K taps, CI4·4, CO4
@group(0) @binding(3) var<storage, read> wt: array<vec4f>;       // K taps, CO4·4, CO4
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;     // of ws, then of wt: those that there are
@group(0) @binding(5) var<storage, read> slope: array<vec4f>;
@group(0) @binding(6) var<storage, read> residual: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> middle: array<vec4f>;
// Of `join` alone: a kernel has eight buffers on every device, not nine.
@group(0) @binding(9) var<storage, read> bias_s: array<vec4f>;
@group(0) @binding(10) var<storage, read> bias_t: array<vec4f>;
@group(0) @binding(11) var<storage, read_write> joined: array<vec4f>;
const E = i32(K / 2u);
const P = REGS * LC;
const W_ROWS = LC / 2u;   // of the four rows of weights that a lane needs, those that it loads; others have the rest

// A value that another lane loaded; where all lanes lie along channels, each has its own.
fn hand(v: vec4f, from_lane: u32) -> vec4f {
  if (LC == 8u) { return v; }
  return subgroupShuffle(v, from_lane);
}

// What the PReLU of x multiplies values below zero with.
fn slopes(c4: u32) -> vec4f {
  if (SLOPES == 0u) { return vec4f(1.0); }
  return select(vec4f(slope[0].x), slope[c4], SLOPES == 1u);
}

// Whole numbers divided by way of floats, and put right: processors divide whole numbers lane by lane.
fn divide(a: i32, b: i32) -> i32 {
  let inverse = 1.0 / f32(b);
  var q = i32(f32(a) * inverse);
  q += i32(f32(a - q * b) * inverse);
  let rest = a - q * b;
  return q + select(0, 1, rest >= b) - select(0, 1, rest < 0);
}

// Both biases one after the other.
@compute @workgroup_size(64)
fn join(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= 2u * CO4) { return; }
  if (id.x < CO4) { joined[id.x] = bias_s[id.x]; } else { joined[id.x] = bias_t[id.x - CO4]; }
}

@compute @workgroup_size(8)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let o = min(lane % LC, CO4 - 1u);        // lanes past the end repeat the last channels
  let mine = lane / LC * LC;               // the first of the lanes that loaded this lane's positions
  let area = g.src.y * g.src.z;

  var start: array<vec2i, REGS>;           // row and column of the first tap of the positions that this lane loads
  var base: array<i32, REGS>;              // its address in the first frame
  var dest: array<i32, REGS>;              // the address of the result there, or -1 where there is none
  for (var r = 0u; r < REGS; r++) {
    let i = i32(((group.y * groups.x + group.x) * REGS + r) * 8u + lane);
    let row = divide(i, g.src.z);
    let n = divide(row, g.src.y);
    let q = vec2i(row - n * g.src.y, i - row * g.src.z);
    let line = n * g.src.x * g.src.y + q.x;
    start[r] = select(vec2i(-0x1000000), q - E, n < g.src.w);
    base[r] = (line - E) * g.src.z + q.y - E;
    dest[r] = select(-1, line * g.src.z + q.y, n < g.src.w);
  }
  var frames: array<array<vec4f, P>, K>;
  var sums: array<vec4f, P>;
  for (var t = 0; t < g.src.x + E; t++) {
    var initial = vec4f();
    if (BIAS_S) { initial = bias[o]; }
    for (var p = 0u; p < P; p++) { sums[p] = initial; }
    for (var tap = 0; tap < select(0, g.k * g.k, t < g.src.x); tap++) {
      let shift = vec2i(tap / g.k, tap % g.k);
      let step = t * area + shift.x * g.src.z + shift.y;
      var at: array<i32, REGS>;
      for (var r = 0u; r < REGS; r++) {
        let v = start[r] + shift;
        at[r] = select(-1, (base[r] + step) * i32(CI4), all(v >= vec2i()) && all(v < g.src.yz));
      }
      for (var c4 = 0u; c4 < CI4; c4++) {
        let leak = slopes(c4);
        var values: array<vec4f, REGS>;
        for (var r = 0u; r < REGS; r++) {
          let value = select(vec4f(), x[u32(max(at[r], 0)) + c4], at[r] >= 0);
          values[r] = value;
          if (SLOPES != 0u) { values[r] *= select(leak, vec4f(1.0), value > vec4f()); }
        }
        let wi = ((u32(tap) * CI4 + c4) * 4u + lane / LC * W_ROWS) * CO4 + o;
        let w0 = hand(ws[wi], lane % LC);
        let w1 = hand(ws[wi + 1u % W_ROWS * CO4], 1u / W_ROWS * LC + lane % LC);
        let w2 = hand(ws[wi + 2u % W_ROWS * CO4], 2u / W_ROWS * LC + lane % LC);
        let w3 = hand(ws[wi + 3u % W_ROWS * CO4], 3u / W_ROWS * LC + lane % LC);
        for (var p = 0u; p < P; p++) {
          let v = subgroupShuffle(values[p / LC], mine + p % LC);
          var sum = fma(w0, vec4f(v.x), sums[p]);
          if (REAL > 1u) { sum = fma(w1, vec4f(v.y), sum); }
          if (REAL > 2u) { sum = fma(w2, vec4f(v.z), sum); }
          if (REAL > 3u) { sum = fma(w3, vec4f(v.w), sum); }
          sums[p] = sum;
        }
      }
    }
    for (var a = 0u; a < K - 1u; a++) { frames[a] = frames[a + 1u]; }
    frames[K - 1u] = sums;
    if (g.keep != 0u && t < g.src.x) {
      for (var p = 0u; p < P; p++) {
        let to = subgroupShuffle(dest[p / LC], mine + p % LC);
        if (to >= 0) { middle[u32(to + t * area) * CO4 + o] = sums[p]; }
      }
    }
    if (t < E) { continue; }

    initial = vec4f();
    if (BIAS_T) { initial = bias[o + select(0u, CO4, BIAS_S)]; }
    for (var p = 0u; p < P; p++) { sums[p] = initial; }
    for (var tap = 0; tap < g.k; tap++) {
      let d = t - 2 * E + tap;
      for (var c4 = 0u; c4 < select(0u, CO4, d >= 0 && d < g.src.x); c4++) {
        let wi = ((u32(tap) * CO4 + c4) * 4u + lane / LC * W_ROWS) * CO4 + o;
        let w0 = hand(wt[wi], lane % LC);
        let w1 = hand(wt[wi + 1u % W_ROWS * CO4], 1u / W_ROWS * LC + lane % LC);
        let w2 = hand(wt[wi + 2u % W_ROWS * CO4], 2u / W_ROWS * LC + lane % LC);
        let w3 = hand(wt[wi + 3u % W_ROWS * CO4], 3u / W_ROWS * LC + lane % LC);
        for (var p = 0u; p < P; p++) {
          let v = subgroupShuffle(frames[0][p], mine + c4);
          sums[p] = fma(w3, vec4f(v.w), fma(w2, vec4f(v.z), fma(w1, vec4f(v.y), fma(w0, vec4f(v.x), sums[p]))));
        }
      }
      let front = frames[0];
      for (var a = 0u; a < K - 1u; a++) { frames[a] = frames[a + 1u]; }
      frames[K - 1u] = front;
    }
    for (var p = 0u; p < P; p++) {
      let to = subgroupShuffle(dest[p / LC], mine + p % LC);
      if (to >= 0) {
        let i = u32(to + (t - E) * area) * CO4 + o;
        var y = sums[p];
        if (RESIDUAL) { y += residual[i]; }
        out[i] = y;
      }
    }
  }
}
