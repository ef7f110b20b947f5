import { expect, test } from 'vitest';
import { NoAdapterError } from '../../engine/errors.ts';
import { nodeGpu } from '../../io/gpu.ts';

// A file of its own, as the drivers are looked up once in a process.
test('without any Vulkan driver the error names what to install', async (context) => {
  if (process.platform !== 'linux') context.skip('only Linux takes its drivers from VK_DRIVER_FILES');
  process.env.VK_DRIVER_FILES = '/no/such/driver.json';
  const failure = await nodeGpu().catch((error) => error);
  expect(failure).toBeInstanceOf(NoAdapterError);
  expect(failure.message).toMatch(/^no WebGPU adapter\. "npm run setup" .* by hand: .*(install|pacman|image)/);
});
