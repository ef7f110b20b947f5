import { expect, it, vi } from 'vitest';
import { ShapeError } from '../../engine/errors.ts';
import { ops } from '../../engine/ops/index.ts';
import { makeInputs } from '../cases.ts';
import { refusals } from '../refusals.ts';
import { upload } from './judge.ts';
import { useEngine } from './walk.ts';

const engine = useEngine();

for (const test of refusals) {
  it(`${test.op} refuses: ${test.name}`, () => {
    using _scope = engine().scope();
    const inputs = upload(engine(), test.op, makeInputs(test));
    const { liveBlocks } = engine().memory.stats();
    const dispatched = vi.spyOn(engine(), 'run');
    expect(() => ops[test.op](...inputs, test.attrs ?? {})).toThrow(ShapeError);
    expect(dispatched).not.toHaveBeenCalled();
    dispatched.mockRestore();
    expect(engine().memory.stats().liveBlocks, 'blocks kept').toBe(liveBlocks);
  });
}
