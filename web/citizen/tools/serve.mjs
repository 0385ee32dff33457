/**
 * Serves the built application as the `kyso` binary will: files of dist, every other path the application itself, strict
 * headers; `/v1` goes on to a running server. For the end-to-end tests and for trying it by hand:
 * `node tools/serve.mjs 5173 http://127.0.0.1:8080`.
 */

import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, request as forward } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};
/** No inline script, nobody else's anything, no frame. `blob:` is a document that was verified here. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; " +
  "connect-src 'self'; manifest-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/** Resolves with a function that stops it. `faults.offline` cuts every call to the API; `faults.mute` carries it out, silently. */
export function serve(port, upstream, faults = {}) {
  const server = createServer((incoming, outgoing) => {
    if (incoming.url.startsWith('/v1/')) {
      if (faults.offline) {
        incoming.socket.destroy();
        return;
      }
      const options = { method: incoming.method, headers: incoming.headers };
      const passed = forward(new URL(incoming.url, upstream), options, (answer) => {
        if (faults.mute?.(incoming)) {
          incoming.socket.destroy();
          return;
        }
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      });
      passed.on('error', () => incoming.socket.destroy());
      incoming.pipe(passed);
      return;
    }
    const path = join(DIST, normalize(incoming.url.split('?')[0]));
    const file =
      path.startsWith(DIST) && existsSync(path) && statSync(path).isFile() ? path : join(DIST, 'index.html');
    outgoing.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': file.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
    createReadStream(file).pipe(outgoing);
  });
  return new Promise((resolve) => server.listen(port, 'localhost', () => resolve(() => server.close())));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port = '5173', upstream = 'http://127.0.0.1:8080'] = process.argv.slice(2);
  await serve(Number(port), upstream);
  console.log(`http://localhost:${port}`);
}
