import { type Bytes, refuse } from './byte-file.ts';
import { Call, type Value } from './pickle.ts';
import { type TorchTensor, tensorOf } from './torch-tensors.ts';

/** What programs wrap a network's tensors in, the one to prefer first: averaged weights stand beside those they average. */
const WRAPPERS = [
  ...['params_ema', 'params', 'state_dict', 'model_state_dict', 'state_dict_g', 'netG', 'net_g', 'generator'],
  ...['model', 'network', 'net', 'weights'],
];
const DEEPEST = 32;
const MOST_MODULES = 20_000;
const LONGEST_NAME = 1000;

/** Tensors by name, and through which wrappers they were reached. */
export interface Unwrapped {
  readonly tensors: Map<string, TorchTensor>;
  readonly wrappers: readonly string[];
}

/**
 * Finds the network's tensors in what a checkpoint holds: a dictionary of tensors, such a dictionary within others under one
 * of the usual names, or a pickled module, whose parameters and buffers are named by their path as state_dict() would.
 * @throws {FormatError} that says what was found instead
 */
export function findTensors(file: Bytes, root: Value): Unwrapped {
  const wrappers: string[] = [];
  let value = root;
  for (let depth = 0; depth < DEEPEST; depth++) {
    const known = usualWrapper(value);
    const tensors = known ? undefined : isModule(value) ? moduleTensors(file, value) : dictionaryTensors(file, value);
    if (tensors?.size) return { tensors, wrappers };
    const wrapper = known ?? onlyWrapper(value);
    if (wrapper === undefined) break;
    wrappers.push(wrapper);
    value = (value as Map<Value, Value>).get(wrapper) as Value;
  }
  const within = wrappers.map((name) => ` within ${name}`).join('');
  return refuse(file, `expected tensors by name, or those of a module; found ${kind(value)}${within}`);
}

const isModule = (value: Value | undefined): value is Call =>
  value instanceof Call &&
  value.state instanceof Map &&
  (value.state.has('_modules') || value.state.has('_parameters'));

const holdsMore = (value: Value | undefined): boolean => value instanceof Map || isModule(value);

/** Stands above tensors beside it: a training state may hold a few of its own. */
const usualWrapper = (value: Value): string | undefined =>
  value instanceof Map ? WRAPPERS.find((name) => holdsMore(value.get(name))) : undefined;

function onlyWrapper(value: Value): string | undefined {
  if (!(value instanceof Map)) return undefined;
  const names = [...value.keys()].filter((key): key is string => typeof key === 'string' && holdsMore(value.get(key)));
  return names.length === 1 ? names[0] : undefined;
}

/** In a few words, whatever it is: text may be as long as the file, and lists hold one another. */
function kind(value: Value): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Call) return 'an object without parameters';
  if (!(value instanceof Map)) return `a single ${value === null ? 'None' : typeof value}`;
  const keys = [...value.keys()].slice(0, 8).map((key) => (typeof key === 'string' ? key.slice(0, 40) : typeof key));
  return keys.join(', ') || 'an empty dictionary';
}

/** Also the attributes of a module stand in dictionaries: what is no tensor is passed over. */
function dictionaryTensors(file: Bytes, value: Value): Map<string, TorchTensor> {
  const tensors = new Map<string, TorchTensor>();
  if (!(value instanceof Map)) return tensors;
  for (const [key, item] of value) {
    const tensor = tensorOf(file, item);
    if (!tensor || typeof key !== 'string') continue;
    if (key.length > LONGEST_NAME) refuse(file, `a tensor with a name of ${key.length} letters`);
    tensors.set(key, tensor);
  }
  return tensors;
}

/** Parameters, buffers, then modules within, as Module.state_dict() goes. Modules stand in several places, even in themselves. */
function moduleTensors(file: Bytes, root: Call): Map<string, TorchTensor> {
  const tensors = new Map<string, TorchTensor>();
  let modules = 0;
  const walk = (module: Value, prefix: string, depth: number): void => {
    if (!(module instanceof Call) || !(module.state instanceof Map)) return;
    if (++modules > MOST_MODULES || depth > DEEPEST || prefix.length > LONGEST_NAME)
      refuse(file, 'its modules lie within one another without end, or under names without end');
    for (const part of ['_parameters', '_buffers']) {
      for (const [name, tensor] of dictionaryTensors(file, entriesOf(module.state.get(part)))) {
        tensors.set(prefix + name, tensor);
      }
    }
    const within = entriesOf(module.state.get('_modules'));
    for (const [name, child] of within) if (typeof name === 'string') walk(child, `${prefix}${name}.`, depth + 1);
  };
  walk(root, '', 0);
  return tensors;
}

const entriesOf = (value: Value | undefined): Map<Value, Value> =>
  value instanceof Map ? value : value instanceof Call ? value.entries : new Map();
