// A sparse linear map along one axis, its rows in CSR form:
//   out[o, j, i] = Σ weight[k] · x[o, index[k], i],  k from start[j] to start[j + 1].
// Resizing, interpolation and padding are such maps, one axis after the other; their gradients are the transposed maps.
const ROWS = 4u;          // of `outer` for which a row of the map is loaded once
const WORKGROUP = 64u;
struct Sizes { outer: u32, inputs: u32, outputs: u32, inner: u32 }   // inner counted in vec4
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> x_channels: array<f32>;   // x again, channel by channel
@group(0) @binding(3) var<storage, read> start: array<u32>;
@group(0) @binding(4) var<storage, read> index: array<u32>;
@group(0) @binding(5) var<storage, read> weight: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;

// Batch, frames, rows or columns: four channels at a time. The grid's y runs over `outer`, which leaves one division.
@compute @workgroup_size(WORKGROUP)
fn along_quads(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let row = sizes.outputs * sizes.inner;
  for (var t = id.x; t < row; t += grid.x * WORKGROUP) {
    let j = t / sizes.inner;
    let i = t - j * sizes.inner;
    let first = start[j];
    let last = start[j + 1u];
    for (var o = id.y * ROWS; o < sizes.outer; o += grid.y * ROWS) {
      var sums: array<vec4f, ROWS>;
      for (var r = 0u; r < ROWS; r++) { sums[r] = vec4f(); }   // an array declared in a loop starts at zero only once on lavapipe
      for (var k = first; k < last; k++) {
        let w = vec4f(weight[k]);
        let at = index[k] * sizes.inner + i;
        for (var r = 0u; r < ROWS; r++) {
          let from_row = min(o + r, sizes.outer - 1u) * sizes.inputs * sizes.inner;
          sums[r] = fma(w, x[from_row + at], sums[r]);
        }
      }
      for (var r = 0u; r < ROWS; r++) {
        if (o + r < sizes.outer) { out[(o + r) * row + t] = sums[r]; }
      }
    }
  }
}

// Channels: they lie inside the quads, so each lane walks a row of its own. Lanes past the last channel stay zero.
@compute @workgroup_size(WORKGROUP)
fn along_channels(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let quads = (sizes.outputs + 3u) / 4u;
  let o = i / quads;
  let first = o * ((sizes.inputs + 3u) / 4u * 4u);
  var v = vec4f();
  for (var l = 0u; l < 4u; l++) {
    let j = (i - o * quads) * 4u + l;
    if (j >= sizes.outputs) { break; }
    var sum = 0.0;
    for (var k = start[j]; k < start[j + 1u]; k++) { sum = fma(weight[k], x_channels[first + index[k]], sum); }
    v[l] = sum;
  }
  out[i] = v;
}
