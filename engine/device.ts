import { DeviceLostError, KernelError, OutOfMemoryError, type SubpixelError } from './errors.ts';

/** Sizes of the matrices that a subgroup multiplies: (m x k)·(k x n), inputs of f16, results of f32. */
export interface MatrixFormat {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** What the adapter can do, read once. Kernels ask this, never the vendor's name. */
export interface Capabilities {
  readonly description: string;
  readonly vendor: string;
  readonly architecture: string;
  /** A software adapter (lavapipe, SwiftShader): runs on the processor. */
  readonly fallback: boolean;
  readonly f16: boolean;
  readonly subgroups: boolean;
  /** Lanes per subgroup, smallest and largest that the adapter may choose; 0 without subgroups. */
  readonly subgroupSize: readonly [number, number];
  /** What its tensor cores take; none without `chromium-experimental-subgroup-matrix`. */
  readonly matrices: readonly MatrixFormat[];
  readonly timestamps: boolean;
  readonly limits: {
    readonly bufferBytes: number;
    readonly bindingBytes: number;
    readonly workgroupBytes: number;
    readonly invocations: number;
    readonly workgroupsPerDimension: number;
  };
}

/** Experimental: the standard's types do not have it yet. */
const MATRICES = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;
const FEATURES: GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query', MATRICES];
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxStorageBuffersPerShaderStage',
] as const;

interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

function matrixFormats(info: GPUAdapterInfo): MatrixFormat[] {
  const { subgroupMatrixConfigs = [] } = info as { subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> };
  return Array.from(subgroupMatrixConfigs)
    .filter(({ componentType, resultComponentType }) => componentType === 'f16' && resultComponentType === 'f32')
    .map(({ M, N, K }) => ({ m: M, n: N, k: K }));
}

/** A GPUDevice with its limits raised to the adapter's, and its asynchronous failures kept until someone asks. */
export class Device {
  /** The first failure that WebGPU reported on its own time (loss, out of memory, validation). */
  #failure: SubpixelError | undefined;
  #lost = false;
  #watched = new Set<Promise<void>>();

  private constructor(
    readonly gpu: GPUDevice,
    readonly caps: Capabilities,
  ) {
    gpu.lost.then((info) => {
      this.#lost = true;
      // The loss explains every validation error that came of it, so it takes their place.
      this.#failure = new DeviceLostError(`the WebGPU device was lost (${info.reason}): ${info.message}`);
    });
    gpu.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      event.preventDefault();
      this.fail(
        error instanceof GPUOutOfMemoryError ? new OutOfMemoryError(error.message) : new KernelError(error.message),
      );
    });
  }

  /** @throws whatever requestDevice throws: an adapter gives its device only once */
  static async open(adapter: GPUAdapter): Promise<Device> {
    const features = FEATURES.filter((f) => adapter.features.has(f));
    const gpu = await adapter.requestDevice({
      requiredFeatures: features,
      requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
    });
    const { info, limits } = adapter;
    const subgroups = features.includes('subgroups');
    return new Device(gpu, {
      description: info.description || info.device || info.architecture || info.vendor,
      vendor: info.vendor,
      architecture: info.architecture,
      fallback: info.isFallbackAdapter ?? false,
      f16: features.includes('shader-f16'),
      subgroups,
      subgroupSize: subgroups ? [info.subgroupMinSize ?? 4, info.subgroupMaxSize ?? 128] : [0, 0],
      matrices: features.includes(MATRICES) ? matrixFormats(info) : [],
      timestamps: features.includes('timestamp-query'),
      limits: {
        bufferBytes: limits.maxBufferSize,
        bindingBytes: limits.maxStorageBufferBindingSize,
        workgroupBytes: limits.maxComputeWorkgroupStorageSize,
        invocations: limits.maxComputeInvocationsPerWorkgroup,
        workgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      },
    });
  }

  /** Reports what a WebGPU error scope finds, in the words of `describe`. */
  watch(scope: Promise<GPUError | null>, describe: (error: GPUError) => SubpixelError | Promise<SubpixelError>): void {
    const watched = scope.then(
      async (error) => {
        // What explains a failure takes the place of what merely follows from it.
        if (error && !this.#lost) this.#failure = await describe(error);
      },
      () => {}, // the device is lost, which is reported on its own
    );
    this.#watched.add(watched);
    watched.finally(() => this.#watched.delete(watched));
  }

  /** Waits for the reports that are on their way. @throws the failure reported since the last call */
  async settle(): Promise<void> {
    await Promise.all(this.#watched);
    this.throwIfFailed();
  }

  /** Waits until a buffer's bytes can be read here. @throws {DeviceLostError} when the device is lost meanwhile */
  async map(buffer: GPUBuffer, bytes = buffer.size): Promise<ArrayBuffer> {
    try {
      await buffer.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (error) {
      await new Promise((resolve) => setTimeout(resolve)); // lets the loss of the device be reported first
      this.throwIfFailed();
      throw new DeviceLostError('the device was lost while its results were read', { cause: error });
    }
    return buffer.getMappedRange(0, bytes);
  }

  fail(error: SubpixelError): void {
    this.#failure ??= error;
  }

  /** Throws the failure that was reported since the last call; a lost device throws for ever. */
  throwIfFailed(): void {
    const failure = this.#failure;
    if (!failure) return;
    if (!this.#lost) this.#failure = undefined;
    throw failure;
  }
}
