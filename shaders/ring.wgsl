// Writes one number into a ring of them.
struct Place { at: u32 }
@group(0) @binding(0) var<uniform> place: Place;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> ring: array<f32>;

@compute @workgroup_size(1)
fn put() { ring[place.at] = x[0]; }
