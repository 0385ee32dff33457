/**
 * Every script that is served must parse as ES2017, which is what Chromium 64 and Safari 11 read. The one thing allowed beyond
 * it is `import()`, which both have; `import.meta` and lookbehind in regular expressions are refused with the rest.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'acorn';

const assets = new URL('../dist/assets/', import.meta.url).pathname;
const element = new URL('../../portal/kyso-sign.js', import.meta.url).pathname;
const served = readdirSync(assets).filter((found) => found.endsWith('.js'));
for (const name of [...served.map((found) => join(assets, found)), element]) {
  const text = readFileSync(name, 'utf8').replace(/\bimport\(/g, 'lazy(');
  try {
    parse(text, { ecmaVersion: 2017, sourceType: 'module' });
    console.log(`ES2017  ${basename(name)}`);
  } catch (error) {
    console.error(`${name}: ${error.message}: ${text.slice(error.pos - 40, error.pos + 40)}`);
    process.exitCode = 1;
  }
}
