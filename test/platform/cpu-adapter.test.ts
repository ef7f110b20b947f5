import { expect, test } from 'vitest';
import { nodeGpu } from '../../io/gpu.ts';
import { systemLavapipe } from '../../io/mesa.ts';

test('cpu finds the software adapter, also as the first that a process asks for', async (context) => {
  if (!systemLavapipe()) context.skip('the system has no lavapipe');
  expect((await nodeGpu('cpu')).fallback).toBe(true);
});
