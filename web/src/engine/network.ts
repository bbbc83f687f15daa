// Fetches a network once and runs it with onnxruntime-web: on the GPU where there is WebGPU, else on
// the processor, with as many threads as the page may have.

import type { InferenceSession, Tensor } from "onnxruntime-web";
import { type NetworkSettings, type Role, settings } from "./settings.ts";

const FILES = import.meta.glob<string>("../../networks/*.onnx", {
  query: "?url",
  import: "default",
  eager: true,
});
const CACHE = "mallenet-networks";
const NOWHERE = [-1, -1];

export interface Device {
  name: "WebGPU" | "WebAssembly";
  threads: number;
  /** Why it is not WebGPU, if that was tried. */
  failure?: string;
}

/** A tile: [height, width, channels] of floats. */
export interface Floats {
  height: number;
  width: number;
  channels: number;
  data: Float32Array;
}

// Networks run one at a time: runtimes refuse more.
let turn: Promise<unknown> = Promise.resolve();

export class Network {
  readonly settings: NetworkSettings;
  readonly device: Device;
  readonly #runtime: typeof import("onnxruntime-web");
  readonly #session: InferenceSession;

  constructor(
    description: NetworkSettings,
    device: Device,
    runtime: typeof import("onnxruntime-web"),
    session: InferenceSession,
  ) {
    this.settings = description;
    this.device = device;
    this.#runtime = runtime;
    this.#session = session;
  }

  /**
   * Denoises a tile.
   *
   * @param input Image in [0, 1] and noise level map; sides are multiples of `settings.multiple`.
   * @param place (y, x) from 0 to 1, whose kernels are used everywhere; each pixel's own by default.
   */
  run(input: Floats, place: number[] = NOWHERE): Promise<Floats> {
    const result = turn.then(() => this.#run(input, place));
    turn = result.catch(() => undefined);
    return result;
  }

  async #run({ height, width, channels, data }: Floats, place: number[]): Promise<Floats> {
    const { Tensor } = this.#runtime;
    const noisy: Tensor = new Tensor("float32", data, [1, height, width, channels]);
    const at = new Tensor("float32", Float32Array.from(place), [2]);
    const { denoised } = await this.#session.run({ noisy, place: at });
    const result = {
      height,
      width,
      channels: this.settings.channels,
      data: (await denoised.getData()) as Float32Array,
    };
    for (const tensor of [noisy, at, denoised]) tensor.dispose();
    return result;
  }
}

const loaded = new Map<Role, Promise<Network>>();

/** Returns a network, fetched on first use. */
export function network(role: Role): Promise<Network> {
  const known = loaded.get(role);
  if (known) return known;
  const fetching = load(role);
  loaded.set(role, fetching);
  fetching.catch(() => loaded.delete(role)); // The next call tries again.
  return fetching;
}

async function load(role: Role): Promise<Network> {
  const content = await fetchCached(FILES[`../../networks/${role}.onnx`]);
  const runtime = await start();
  try {
    return await create(role, content, runtime);
  } catch (error) {
    if (runtime.device.name !== "WebGPU") throw error;
    started = chooseRuntime(`WebGPU failed: ${error}.`);
    return create(role, content, await started);
  }
}

async function create(role: Role, content: Uint8Array, { runtime, device }: Runtime): Promise<Network> {
  const session = await runtime.InferenceSession.create(content, {
    executionProviders: device.name === "WebGPU" ? ["webgpu"] : ["wasm"],
    graphOptimizationLevel: "all",
  });
  const description = settings.networks[role];
  const created = new Network(description, device, runtime, session);
  if (device.name === "WebGPU") {
    const [side, channels] = [4 * description.multiple, description.channels + 1];
    const data = new Float32Array(side * side * channels);
    await created.run({ height: side, width: side, channels, data }); // Some drivers fail only here.
  }
  return created;
}

/** Fetches a file whose name changes with its content; later visits take it from the cache. */
async function fetchCached(url: string): Promise<Uint8Array> {
  const cache = "caches" in globalThis ? await caches.open(CACHE) : undefined;
  let response = await cache?.match(url);
  if (!response) {
    response = await fetch(url);
    if (!response.ok) {
      throw new Error(`the network cannot be fetched: ${response.status} ${response.statusText}`);
    }
    await cache?.put(url, response.clone());
  }
  return new Uint8Array(await response.arrayBuffer());
}

interface Runtime {
  runtime: typeof import("onnxruntime-web");
  device: Device;
}

let started: Promise<Runtime> | undefined;

function start(): Promise<Runtime> {
  started ??= chooseRuntime();
  started.catch(() => (started = undefined)); // The next call tries again.
  return started;
}

/** Loads the runtime for WebGPU, or the one for the processor where there is none or it failed. */
async function chooseRuntime(failure?: string): Promise<Runtime> {
  const adapter = failure ? null : await navigator.gpu?.requestAdapter();
  if (adapter) {
    const [runtime, mjs, wasm] = await Promise.all([
      import("onnxruntime-web/webgpu"),
      import("onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url"),
      import("onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url"),
    ]);
    runtime.env.wasm.wasmPaths = { mjs: mjs.default, wasm: wasm.default };
    runtime.env.wasm.numThreads = 1;
    return { runtime, device: { name: "WebGPU", threads: 1 } };
  }
  const [runtime, mjs, wasm] = await Promise.all([
    import("onnxruntime-web/wasm"),
    import("onnxruntime-web/ort-wasm-simd-threaded.mjs?url"),
    import("onnxruntime-web/ort-wasm-simd-threaded.wasm?url"),
  ]);
  const threads = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  runtime.env.wasm.wasmPaths = { mjs: mjs.default, wasm: wasm.default };
  runtime.env.wasm.numThreads = threads;
  return { runtime, device: { name: "WebAssembly", threads, failure } };
}
