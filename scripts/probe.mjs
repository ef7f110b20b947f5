// Exit code 0 when a WebGPU adapter works, found the way the command line finds it. Prints which, or what to
// install, on stdout, as drivers write what they like to stderr. Needs dist/ (node scripts/build.mjs).
import { nodeGpu } from '../dist/io/gpu.js';

try {
  const { adapter, fallback } = await nodeGpu();
  const { description, device, vendor } = adapter.info;
  await adapter.requestDevice();
  console.log(`${description || device || vendor} (${fallback ? 'software' : 'hardware'})`);
  process.exit(0); // no waiting for Dawn's threads
} catch (error) {
  console.log(`${error.name}: ${error.message}`);
  process.exit(1);
}
