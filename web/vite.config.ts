import { readFileSync } from "node:fs";
import license, { type Dependency } from "rollup-plugin-license";
import { defineConfig, type Plugin } from "vite";

// What threads of WebAssembly need; docs/web.md says what happens without.
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

// Of the page's libraries and the worker's, which are bundled apart, and of what the runtime holds.
const dependencies = new Map<string, Dependency>();
const collectLicenses = () =>
  license({
    thirdParty: (found) => found.forEach((library) => dependencies.set(library.name!, library)),
  });
const writeLicenses: Plugin = {
  name: "write-licenses",
  generateBundle() {
    const sorted = [...dependencies.values()].sort((a, b) => a.name!.localeCompare(b.name!));
    const texts = sorted.map((library) => library.text());
    texts.push(readFileSync("networks/onnxruntime_licenses.txt", "utf8"));
    const source = texts.join(`\n${"-".repeat(72)}\n\n`);
    this.emitFile({ type: "asset", fileName: "licenses.txt", source });
  },
};

export default defineConfig({
  base: "./", // The site works in any folder of a host.
  build: {
    outDir: "../build/web",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // The content security policy allows files only.
    chunkSizeWarningLimit: 1000,
  },
  plugins: [collectLicenses(), writeLicenses],
  worker: { format: "es", plugins: () => [collectLicenses()] },
  // Leaves the choice of WebAssembly files to network.ts.
  resolve: {
    conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "development|production"],
  },
  assetsInclude: ["**/*.onnx"],
  server: { headers },
  preview: { headers },
});
