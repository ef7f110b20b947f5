/** Runs in the page: squares 1000 numbers on the browser's WebGPU. */
export default async function compute(): Promise<{ adapter: string; largestError: number }> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error('the page has no WebGPU adapter');
  const device = await adapter.requestDevice();
  const numbers = Float32Array.from({ length: 1000 }, (_, i) => i / 8);
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const data = device.createBuffer({ size: numbers.byteLength, usage: STORAGE | COPY_SRC | COPY_DST });
  const readable = device.createBuffer({ size: numbers.byteLength, usage: MAP_READ | COPY_DST });
  device.queue.writeBuffer(data, 0, numbers);

  const code = `
    @group(0) @binding(0) var<storage, read_write> data: array<f32>;
    @compute @workgroup_size(64) fn square(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&data)) { data[id.x] *= data[id.x]; }
    }`;
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code }) },
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const layout = pipeline.getBindGroupLayout(0);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: data } }] }));
  pass.dispatchWorkgroups(Math.ceil(numbers.length / 64));
  pass.end();
  encoder.copyBufferToBuffer(data, 0, readable, 0, numbers.byteLength);
  device.queue.submit([encoder.finish()]);

  await readable.mapAsync(GPUMapMode.READ);
  const squares = new Float32Array(readable.getMappedRange());
  const errors = squares.map((square, i) => Math.abs(square - numbers[i] ** 2));
  return { adapter: `${adapter.info.vendor} ${adapter.info.architecture}`, largestError: Math.max(...errors) };
}
