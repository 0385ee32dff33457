/** Prints what a first visit loads, gzipped, and fails above the limits. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const KB = 1000;
const FIRST_LOAD_MAX = 80 * KB;
const ENTRY_MAX = 45 * KB;

const dist = new URL('../dist/', import.meta.url).pathname;
const html = readFileSync(join(dist, 'index.html'), 'utf8');
const size = (path) => gzipSync(readFileSync(join(dist, path)), { level: 9 }).length;
const linked = Array.from(html.matchAll(/(?:src|href)="\/([^"]+)"/g), ([, path]) => path);
const entry = linked.find((path) => path.endsWith('.js'));
/** What the browser fetches for a first screen: the page, what it names but icons, and what those scripts import. */
const imported = Array.from(
  readFileSync(join(dist, entry), 'utf8').matchAll(/\bfrom\s*["'`]\.\/([^"'`]+)/g),
  ([, name]) => `assets/${name}`,
);
const first = ['index.html', ...linked.filter((path) => !path.endsWith('.png')), ...imported];
for (const path of first) {
  console.log(`${String(size(path)).padStart(7)}  ${path}`);
}
for (const name of readdirSync(join(dist, 'assets')).filter((found) => !/\.(br|gz)$/.test(found))) {
  const path = `assets/${name}`;
  if (!first.includes(path)) {
    console.log(`${String(size(path)).padStart(7)}  ${path} (later)`);
  }
}
const total = first.map(size).reduce((sum, bytes) => sum + bytes, 0);
console.log(`${String(total).padStart(7)}  first load, at most ${FIRST_LOAD_MAX}`);
console.log(`${String(size(entry)).padStart(7)}  entry script, at most ${ENTRY_MAX}`);
if (total > FIRST_LOAD_MAX || size(entry) > ENTRY_MAX) {
  console.error('too large');
  process.exitCode = 1;
}
