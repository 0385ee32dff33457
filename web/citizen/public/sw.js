/**
 * Keeps the application itself on the phone, so that it opens without a network and says so. Only what is public: scripts and
 * styles, whose names change with their content, and the one page. Never the API: an answer from yesterday would be a lie.
 */

const SHELL = 'shell-1';
/** Beyond it the oldest go: earlier versions of the scripts. */
const KEPT_MAX = 30;
const PATIENCE_MS = 4000;

self.addEventListener('install', () => self.skipWaiting());

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== self.location.origin || pathname.startsWith('/v1/')) {
    return;
  }
  if (request.mode === 'navigate') {
    event.respondWith(page(request));
  } else if (pathname.startsWith('/assets/')) {
    event.respondWith(asset(request));
  }
});

/** The newest page there is; the kept one when the network is away or slow. Every address shows the same page. */
async function page(request) {
  const shell = await caches.open(SHELL);
  const fresh = fetch(request).then((answer) => {
    if (answer.ok) {
      shell.put('/', answer.clone());
    }
    return answer;
  });
  const kept = await shell.match('/');
  if (kept === undefined) {
    return fresh;
  }
  const late = new Promise((resolve) => setTimeout(() => resolve(kept), PATIENCE_MS));
  return Promise.race([fresh.catch(() => kept), late]);
}

async function asset(request) {
  const shell = await caches.open(SHELL);
  const kept = await shell.match(request);
  if (kept !== undefined) {
    return kept;
  }
  const answer = await fetch(request);
  // A path that is not there is answered with the page: that is not to be kept as a script.
  if (answer.ok && !(answer.headers.get('content-type') || '').startsWith('text/html')) {
    await shell.put(request, answer.clone());
    const all = await shell.keys();
    await Promise.all(all.slice(0, Math.max(0, all.length - KEPT_MAX)).map((old) => shell.delete(old)));
  }
  return answer;
}
