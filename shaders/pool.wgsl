// Pooling: the largest value or the mean of each window. An invocation has four channels of one position, so that neighbours
// load neighbours. The gradients gather: each input position asks the windows that it stands in.
const MARGIN = true;        // a mean divides by the whole window, padding included; else by what lies inside
const DILATED = true;       // taps stand apart
const WORKGROUP = 64u;
struct Windows {
  src: vec4i,               // D, H, W of x, and its channels / 4
  dst: vec4i,               // D, H, W of y
  kernel: vec4i, stride: vec4i, padding: vec4i, dilation: vec4i,
}
@group(0) @binding(0) var<uniform> g: Windows;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read> chosen: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> taps: array<vec4f>;   // which tap of its window each largest value is

struct Place { quad: i32, at: vec3i, sample: i32 }

fn place(i: u32, size: vec3i) -> Place {
  let p = i32(i) / g.src.w;
  let plane = p / size.z;
  let volume = plane / size.y;
  return Place(i32(i) % g.src.w, vec3i(volume % size.x, plane % size.y, p % size.z), volume / size.x);
}

fn index(p: Place, at: vec3i, size: vec3i) -> u32 {
  return u32((((p.sample * size.x + at.x) * size.y + at.y) * size.z + at.z) * g.src.w + p.quad);
}

fn tap(offset: vec3i) -> f32 { return f32((offset.x * g.kernel.y + offset.y) * g.kernel.z + offset.z); }

// The windows that an input position stands in, from low to high; with dilation, it may fall between their taps.
fn lowest(at: vec3i) -> vec3i {
  let before = g.dilation.xyz * (g.kernel.xyz - 1) + 1 - g.stride.xyz;
  return max(at + g.padding.xyz - before, vec3i()) / g.stride.xyz;
}
fn highest(at: vec3i) -> vec3i { return min((at + g.padding.xyz) / g.stride.xyz, g.dst.xyz - 1); }

struct Largest { value: vec4f, tap: vec4f }

// Compilers take v != v for false.
fn is_nan(v: vec4f) -> vec4<bool> { return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u); }

fn largest_of(i: u32) -> Largest {
  let p = place(i, g.dst.xyz);
  let first = p.at * g.stride.xyz - g.padding.xyz;
  let step = g.dilation.xyz;
  var low = max(-first, vec3i());
  var high = min(g.src.xyz - first, g.kernel.xyz);
  if (DILATED) {
    low = max((step - 1 - first) / step, vec3i());
    high = min((g.src.xyz - first + step - 1) / step, g.kernel.xyz);
  }
  var best = Largest(x[index(p, first + low * step, g.src.xyz)], vec4f(tap(low)));
  for (var d = low.x; d < high.x; d++) {
    for (var h = low.y; h < high.y; h++) {
      var at = index(p, first + vec3i(d, h, low.z) * step, g.src.xyz);
      var k = tap(vec3i(d, h, low.z));
      for (var w = low.z; w < high.z; w++) {
        let v = x[at];
        let better = (v > best.value) | is_nan(v);   // of equal values the first stays; NaN stays NaN
        best = Largest(select(best.value, v, better), select(best.tap, vec4f(k), better));
        at += u32(step.z * g.src.w);
        k += 1.0;
      }
    }
  }
  return best;
}

@compute @workgroup_size(WORKGROUP)
fn largest(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  out[i] = largest_of(i).value;
}

// With a note for the gradient.
@compute @workgroup_size(WORKGROUP)
fn largest_and_tap(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let best = largest_of(i);
  out[i] = best.value;
  taps[i] = best.tap;
}

@compute @workgroup_size(WORKGROUP)
fn largest_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let p = place(i, g.src.xyz);
  let low = lowest(p.at);
  let high = highest(p.at);
  var sum = vec4f();
  for (var d = low.x; d <= high.x; d++) {
    for (var h = low.y; h <= high.y; h++) {
      for (var w = low.z; w <= high.z; w++) {
        let o = vec3i(d, h, w);
        let at = index(p, o, g.dst.xyz);
        let offset = p.at + g.padding.xyz - o * g.stride.xyz;
        let k = offset / g.dilation.xyz;
        let own = all(k * g.dilation.xyz == offset);
        sum += select(vec4f(), dy[at], (chosen[at] == vec4f(tap(k))) & vec4<bool>(own));
      }
    }
  }
  out[i] = sum;
}

// What a mean divides by; windows end where the padding does.
fn divisor(o: vec3i) -> f32 {
  let first = o * g.stride.xyz - g.padding.xyz;
  var size = min(first + g.kernel.xyz, g.src.xyz + g.padding.xyz) - first;
  if (!MARGIN) { size = min(first + g.kernel.xyz, g.src.xyz) - max(first, vec3i()); }
  return f32(size.x * size.y * size.z);
}

@compute @workgroup_size(WORKGROUP)
fn mean(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let p = place(i, g.dst.xyz);
  let first = p.at * g.stride.xyz - g.padding.xyz;
  let low = max(first, vec3i());
  let high = min(first + g.kernel.xyz, g.src.xyz);
  var sum = vec4f();
  for (var d = low.x; d < high.x; d++) {
    for (var h = low.y; h < high.y; h++) {
      for (var w = low.z; w < high.z; w++) { sum += x[index(p, vec3i(d, h, w), g.src.xyz)]; }
    }
  }
  out[i] = sum / divisor(p.at);
}

@compute @workgroup_size(WORKGROUP)
fn mean_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&out)) { return; }
  let p = place(i, g.src.xyz);
  let low = lowest(p.at);
  let high = highest(p.at);
  var sum = vec4f();
  for (var d = low.x; d <= high.x; d++) {
    for (var h = low.y; h <= high.y; h++) {
      for (var w = low.z; w <= high.z; w++) {
        let o = vec3i(d, h, w);
        sum += dy[index(p, o, g.dst.xyz)] / divisor(o);
      }
    }
  }
  out[i] = sum;
}
