// Convolution to at most four output channels, one group (see conv.direct.wgsl for the geometry; here is and off_step
// along W are 1). Lanes lie along positions, since there are too few channels for them: an invocation computes a strip of
// P neighbours of a row, so that each input value it loads serves up to TAPS of them.
alias V = vec4f;          // output channels: vec4f, or f32 where there is one
const PITCH = 1u;         // distance of two rows of weights in V: 1, or 4 for f32
const REAL = 4u;          // channels in a vec4 of x: 4, or fewer where x has fewer
const CI4 = 4u;           // input channels / 4
const TAPS = 3u;          // along W
const P = 8u;
const BIAS = false;
const RESIDUAL = false;   // added to the result
const LEAK = 1.0;         // slope below zero of the activation after that: 1 none, 0 ReLU
const SLOPES = 0u;        // PReLU of x as it is loaded: 0 none, 1 a slope per channel, 2 one for all
const WORKGROUP = 64u;
struct Geometry {
  src: vec4i, dst: vec4i, grid: vec4i,
  is: vec4i, off: vec4i, off_step: vec4i,
  os: vec4i, oo: vec4i,
  taps: vec4i,
  k: vec4i, k_step: vec4i,
  kernel: vec4i,
}
@group(0) @binding(0) var<uniform> g: Geometry;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> w: array<V>;            // taps, CI4·4, one vec4
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> slope: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;

fn load(i: u32, c4: u32) -> vec4f {
  let v = x[i];
  if (SLOPES == 0u) { return v; }
  return v * select(select(vec4f(slope[0].x), slope[c4], SLOPES == 1u), vec4f(1.0), v > vec4f());
}

fn finish(sum: vec4f, at: u32) -> vec4f {
  var y = sum;
  if (BIAS) { y += bias[0]; }
  if (RESIDUAL) { y += residual[at]; }
  if (LEAK != 1.0) { y = select(LEAK * y, y, y > vec4f()); }
  return y;
}

@compute @workgroup_size(WORKGROUP)
fn gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var i = i32(id.x + id.y * groups.x * WORKGROUP);
  let strips = (g.grid.z + i32(P) - 1) / i32(P);
  let inside = i < strips * g.grid.y * g.grid.x * g.src.w;
  let v0 = i % strips * i32(P);  i /= strips;
  let ph = i % g.grid.y;         i /= g.grid.y;
  let pd = i % g.grid.x;
  let n = i / g.grid.x;
  var sums: array<V, P>;
  for (var a = 0; a < g.taps.x; a++) {
    let d = pd * g.is.x + g.off.x + a * g.off_step.x;
    for (var b = 0; b < g.taps.y; b++) {
      let h = ph * g.is.y + g.off.y + b * g.off_step.y;
      let row = inside && d >= 0 && d < g.src.x && h >= 0 && h < g.src.y;
      let row_in = ((n * g.src.x + d) * g.src.y + h) * g.src.z + v0 + g.off.z;
      let tap = ((g.k.x + a * g.k_step.x) * g.kernel.y + g.k.y + b * g.k_step.y) * g.kernel.z + g.k.z;
      for (var ci = 0u; ci < CI4; ci++) {
        var window: array<vec4f, P + TAPS - 1u>;
        for (var p = 0u; p < P + TAPS - 1u; p++) {
          let v = v0 + g.off.z + i32(p);
          var value = vec4f();                                 // an array declared in a loop starts at zero only once on lavapipe
          if (row && v >= 0 && v < g.src.z) { value = load(u32(row_in + i32(p)) * CI4 + ci, ci); }
          window[p] = value;
        }
        for (var c = 0u; c < TAPS; c++) {
          let wi = (u32(tap + i32(c) * g.k_step.z) * CI4 + ci) * 4u * PITCH;
          let w0 = w[wi];
          let w1 = w[wi + PITCH];
          let w2 = w[wi + 2u * PITCH];
          let w3 = w[wi + 3u * PITCH];
          for (var p = 0u; p < P; p++) {
            let v = window[p + c];
            var sum = fma(w0, V(v.x), sums[p]);
            if (REAL > 1u) { sum = fma(w1, V(v.y), sum); }
            if (REAL > 2u) { sum = fma(w2, V(v.z), sum); }
            if (REAL > 3u) { sum = fma(w3, V(v.w), sum); }
            sums[p] = sum;
          }
        }
      }
    }
  }
  if (!inside) { return; }
  let q = vec2i(pd, ph) * g.os.xy + g.oo.xy;
  let row_out = ((n * g.dst.x + q.x) * g.dst.y + q.y) * g.dst.z + g.oo.z;
  let exists = select(vec4f(1.0), vec4f(1.0, 0.0, 0.0, 0.0), PITCH == 4u);   // vec4f(f32) repeats it
  for (var p = 0u; p < P; p++) {
    let v = v0 + i32(p);
    if (v < g.grid.z) {
      let at = u32(row_out + v * g.os.z);
      out[at] = finish(vec4f(sums[p]) * exists, at);
    }
  }
}
