// The cell of an LSTM from its four gates, which lie one behind the other in the channels:
//   [i, j, f, o] = gates,  c' = c·σ(f + FORGET) + σ(i)·tanh(j),  h' = tanh(c')·σ(o),  out = [c', h'].
// An invocation has the same V of channels of all four; the gradients compute c' again.
alias V = vec4f;          // four channels; f32, one, where a gate's channels are no multiple of four
const C = 1u;             // V in a gate's channels
const CELL = 1u;          // V from one position of the cell to the next, the channels that pad included
const OUT = 2u;           // the same of the result
const FORGET = 1.0;       // added to f
const GIVEN = true;       // else the cell is zero
const WORKGROUP = 64u;
@group(0) @binding(0) var<storage, read> gates: array<V>;
@group(0) @binding(1) var<storage, read> cell: array<V>;
@group(0) @binding(2) var<storage, read> dy: array<V>;
@group(0) @binding(3) var<storage, read_write> out: array<V>;

fn sigmoid(x: V) -> V { return 1.0 / (1.0 + exp(-x)); }

// As in unary.wgsl: the quotient loses digits near zero, where the series has them.
fn tanh_of(x: V) -> V {
  let e = exp(-2.0 * abs(x));
  let s = x * x;
  let series = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * 62.0 / 2835.0))));
  return select(sign(x) * (1.0 - e) / (1.0 + e), series, abs(x) < V(0.25));
}

struct Opened { i: V, j: V, f: V, o: V, c: V, held: V }   // gates between -1 and 1, the cell before, tanh(c')

fn open(p: u32, c: u32) -> Opened {
  let at = p * 4u * C + c;
  var before = V();
  if (GIVEN) { before = cell[p * CELL + c]; }
  let i = sigmoid(gates[at]);
  let j = tanh_of(gates[at + C]);
  let f = sigmoid(gates[at + 2u * C] + FORGET);
  let o = sigmoid(gates[at + 3u * C]);
  return Opened(i, j, f, o, before, tanh_of(before * f + i * j));
}

@compute @workgroup_size(WORKGROUP)
fn step(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&gates) / 4u) { return; }
  let p = i / C;
  let c = i % C;
  let g = open(p, c);
  out[p * OUT + c] = g.c * g.f + g.i * g.j;
  out[p * OUT + C + c] = g.held * g.o;
  if (c > 0u) { return; }
  for (var k = 2u * C; k < OUT; k++) { out[p * OUT + k] = V(); }
}

// All that comes back to c'.
fn to_cell(p: u32, c: u32, g: Opened) -> V {
  return dy[p * OUT + c] + dy[p * OUT + C + c] * g.o * (1.0 - g.held * g.held);
}

@compute @workgroup_size(WORKGROUP)
fn gates_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&gates) / 4u) { return; }
  let p = i / C;
  let c = i % C;
  let at = p * 4u * C + c;
  let g = open(p, c);
  let d = to_cell(p, c, g);
  out[at] = d * g.j * g.i * (1.0 - g.i);
  out[at + C] = d * g.i * (1.0 - g.j * g.j);
  out[at + 2u * C] = d * g.c * g.f * (1.0 - g.f);
  out[at + 3u * C] = dy[p * OUT + C + c] * g.held * g.o * (1.0 - g.o);
}

@compute @workgroup_size(WORKGROUP)
fn cell_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * WORKGROUP;
  if (i >= arrayLength(&gates) / 4u) { return; }
  let p = i / C;
  let c = i % C;
  let g = open(p, c);
  out[p * CELL + c] = to_cell(p, c, g) * g.f;
  if (c > 0u) { return; }
  for (var k = C; k < CELL; k++) { out[p * CELL + k] = V(); }
}
