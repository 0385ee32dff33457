// One bundle of ES2017 for every phone from Chromium 64 and iOS 11 on; what the engines lack besides syntax is in
// src/polyfill.ts. `base` is absolute, so that no `import.meta` (Chrome 64, iOS 12) reaches the output.
import { defineConfig } from 'vitest/config';

const server = process.env.KYSO_URL ?? 'http://127.0.0.1:8080';

/** Vite wraps each lazy import in a loader of style sheets, which reads `import.meta`; ours have none. */
const plainImports = {
  name: 'plain-imports',
  enforce: 'pre' as const,
  load(id: string) {
    return id.includes('vite/preload-helper') ? 'export const __vitePreload = (load) => load();' : undefined;
  },
};

export default defineConfig({
  base: '/',
  plugins: [plainImports],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: { proxy: { '/v1': server } },
  build: {
    target: ['es2017', 'chrome64', 'ios11'],
    cssTarget: ['chrome64', 'ios11'],
    cssMinify: 'lightningcss',
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  test: { environment: 'node', setupFiles: ['test/setup.ts'], include: ['test/**/*.test.ts'] },
});
