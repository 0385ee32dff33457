/**
 * What the oldest engines (Chromium 64, Safari 11) lack and the application or its libraries use. Imported first. Syntax is
 * lowered by the build; this is the rest. Add to it only after seeing a failure on a real engine.
 */

// Chrome 71, Safari 12.1: Preact schedules its renders with it.
if (typeof window.queueMicrotask !== 'function') {
  window.queueMicrotask = (task) => {
    Promise.resolve()
      .then(task)
      .catch((error) =>
        setTimeout(() => {
          throw error;
        }),
      );
  };
}

// Chrome 71, Safari 12.1.
if (typeof globalThis === 'undefined') {
  (window as unknown as { globalThis: Window }).globalThis = window;
}
