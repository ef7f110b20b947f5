import { describe } from 'vitest';
import { matrixColumns } from '../../engine/kernels/conv/matrices.ts';
import { testEngine } from './engine.ts';
import { otherCases, thinCases, walkMatrixCases, wideCases } from './matrix-walk.ts';

const engine = await testEngine();
const withCores = describe.skipIf(!matrixColumns(engine)); // chromium-experimental-subgroup-matrix, f16, subgroups of 32
engine.destroy();

withCores('convolutions on tensor cores', () => {
  walkMatrixCases(testEngine, 'f32', [...thinCases, ...wideCases, ...otherCases]);
  walkMatrixCases(testEngine, 'f16', [...thinCases, ...wideCases]);
});
