import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { projectFolder } from '../folders.ts';
import { type Bytes, refuse } from './byte-file.ts';
import { Budget, countOf, decodeFloat32, type FileTensor, ITEM_BYTES, isShape } from './numbers.ts';

interface Dataset {
  readonly name: string;
  readonly dtype: string;
  readonly item: number;
  readonly shape: number[];
  readonly values: Uint8Array<ArrayBuffer>;
}
/** sound: whether the thread can read another file. */
type Answer = { readonly sound: boolean } & ({ readonly tensors: Dataset[] } | { readonly why: string });

/** Groups that hold a network's weights and are no part of their names: VSR-DUF's, Keras'. */
const WRAPPERS = ['params', 'model_weights', 'layers'];
const SECONDS = 30; // for what takes milliseconds: only a file that leads the library in circles needs longer
const BYTES_PER_SECOND = 10e6;

let spare: Worker | undefined; // starting a thread takes longer than reading a file in it

/**
 * The numeric datasets of an HDF5 file by their path within it, such as G_conv1_W:0 or conv1/conv1/kernel:0. The library is
 * written in C: it runs in a thread that is ended when it fails, takes too long, or has grown.
 * @throws {FormatError} for what is damaged, truncated, hostile, or holds no numbers
 */
export async function readH5(file: Bytes): Promise<Map<string, FileTensor>> {
  const answer = await ask(file);
  if ('why' in answer) return refuse(file, `the HDF5 file cannot be read: ${answer.why}`);
  const prefix = WRAPPERS.map((group) => `${group}/`).find((own) =>
    answer.tensors.every(({ name }) => name.startsWith(own)),
  );
  const budget = new Budget(file);
  const tensors = new Map<string, FileTensor>();
  for (const { name, dtype, item, shape, values } of answer.tensors) {
    if (ITEM_BYTES[dtype] !== item || !isShape(shape) || countOf(shape) * item !== values.length) {
      return refuse(file, `dataset ${name} holds numbers of a kind that is not read (${dtype})`);
    }
    budget.take(`dataset ${name}`, shape);
    tensors.set(name.slice(prefix?.length ?? 0), { dtype, shape, data: decodeFloat32(dtype, values.buffer) });
  }
  return tensors;
}

async function ask(file: Bytes): Promise<Answer> {
  const worker = spare ?? new Worker(join(projectFolder, 'io/weights/h5-worker.mjs'), { execArgv: [] });
  spare = undefined;
  worker.ref();
  const { answer, forget } = listen(worker, SECONDS + file.size / BYTES_PER_SECOND);
  const bytes = file.read(0, file.size);
  worker.postMessage({ bytes, limit: 2 * file.size + 2 ** 26 }, [bytes.buffer]);
  const told = await answer;
  forget();
  worker.unref();
  if (told.sound && !spare) spare = worker;
  else await worker.terminate();
  return told;
}

/** The first that happens: an answer, the end of the thread, the end of our patience. */
function listen(worker: Worker, seconds: number): { answer: Promise<Answer>; forget: () => void } {
  let forget = () => {};
  const answer = new Promise<Answer>((resolve) => {
    const fail = (why: string) => resolve({ why, sound: false });
    const failed = ({ message }: Error) => fail(message);
    const ended = () => fail('it broke the library');
    const timer = setTimeout(() => fail(`it took more than ${Math.round(seconds)} s`), 1000 * seconds);
    worker.on('message', resolve).on('error', failed).on('exit', ended);
    forget = () => {
      clearTimeout(timer);
      worker.off('message', resolve).off('error', failed).off('exit', ended);
    };
  });
  return { answer, forget };
}
