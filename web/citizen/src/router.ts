/** Where the person is: the path of the address bar, kept in a signal. Nothing personal and no secret is ever part of it. */

import { signal } from '@preact/signals';

export const path = signal(location.pathname);

/** Goes to another screen; `replace` where "back" must not lead to this one again. */
export function go(to: string, replace = false): void {
  if (to !== location.pathname) {
    history[replace ? 'replaceState' : 'pushState'](null, '', to);
  }
  path.value = location.pathname;
  window.scrollTo(0, 0);
}

export function startRouter(): void {
  window.addEventListener('popstate', () => {
    path.value = location.pathname;
  });
  // Links stay links for keyboards and screen readers; only their plain click is taken.
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (
      link === null ||
      !isPlain ||
      link.target !== '' ||
      link.hasAttribute('download') ||
      link.origin !== location.origin ||
      link.hash !== ''
    ) {
      return;
    }
    event.preventDefault();
    go(link.pathname);
  });
}

/** The part of the path that `pattern` leaves open (`/requests/*`), or `undefined` when it does not fit. */
export function match(pattern: string, at: string): string | undefined {
  if (!pattern.endsWith('*')) {
    return at === pattern ? '' : undefined;
  }
  const start = pattern.slice(0, -1);
  const rest = at.slice(start.length);
  if (!at.startsWith(start) || rest === '' || rest.includes('/')) {
    return undefined;
  }
  try {
    return decodeURIComponent(rest);
  } catch {
    return undefined;
  }
}
