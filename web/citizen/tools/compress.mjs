/** Writes `.br` and `.gz` beside every file of dist that gets smaller by it, once, so that nobody compresses when it is fetched. */

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url).pathname;
const WAYS = {
  '.br': (bytes) =>
    brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  '.gz': (bytes) => gzipSync(bytes, { level: 9 }),
};

for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, name);
  if (!statSync(path).isFile() || /\.(br|gz)$/.test(name)) {
    continue;
  }
  const bytes = readFileSync(path);
  for (const [ending, way] of Object.entries(WAYS)) {
    const small = way(bytes);
    if (small.length < bytes.length * 0.95) {
      writeFileSync(path + ending, small);
    } else {
      rmSync(path + ending, { force: true });
    }
  }
}
