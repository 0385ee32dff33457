/**
 * Stands between the browser and the server, at the address that the server calls its own, and can lose what goes through:
 * `faults.offline` cuts every call to the API, `faults.mute` lets one be carried out and loses its answer.
 */

import { createServer, request as forward } from 'node:http';

/** Listens on `localhost:port`; resolves with a function that stops it. */
export function stand(port, upstream, faults) {
  const server = createServer((incoming, outgoing) => {
    if (faults.offline && incoming.url.startsWith('/v1/')) {
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
  });
  return new Promise((resolve) => server.listen(port, 'localhost', () => resolve(() => server.close())));
}
