/** The one thing of a browser that modules touch when they are loaded. */
Object.assign(globalThis, { location: new URL('http://localhost/') });
