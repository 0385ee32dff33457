/**
 * What this phone keeps between visits: the device key, the enrolment under way, what was typed and not yet sent. In
 * IndexedDB, because a key that cannot be exported can lie nowhere else. Where there is none (private browsing,
 * Lockdown mode), it is kept until the page is closed. Never a PIN, never a code.
 */

const DATABASE = 'kyso';
const TABLE = 'kept';

const untilClosed = new Map<string, unknown>();
let opened: Promise<IDBDatabase | undefined> | undefined;

function database(): Promise<IDBDatabase | undefined> {
  opened ??= new Promise((resolve) => {
    try {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(undefined);
      request.onblocked = () => resolve(undefined);
    } catch {
      resolve(undefined);
    }
  });
  return opened;
}

async function run<T>(
  mode: IDBTransactionMode,
  act: (table: IDBObjectStore) => IDBRequest<T>,
): Promise<{ value: T } | undefined> {
  const base = await database();
  if (base === undefined) {
    return undefined;
  }
  return new Promise((resolve) => {
    try {
      const transaction = base.transaction(TABLE, mode);
      const request = act(transaction.objectStore(TABLE));
      transaction.oncomplete = () => resolve({ value: request.result });
      transaction.onerror = () => resolve(undefined);
      transaction.onabort = () => resolve(undefined);
    } catch {
      // DataCloneError: this browser keeps no keys in IndexedDB.
      resolve(undefined);
    }
  });
}

export async function kept<T>(name: string): Promise<T | undefined> {
  if (untilClosed.has(name)) {
    return untilClosed.get(name) as T;
  }
  return (await run('readonly', (table) => table.get(name) as IDBRequest<T | undefined>))?.value;
}

/** Whether it will still be there after the page is closed. */
export async function keep(name: string, value: unknown): Promise<boolean> {
  const done = (await run('readwrite', (table) => table.put(value, name))) !== undefined;
  if (done) {
    untilClosed.delete(name);
  } else {
    untilClosed.set(name, value);
  }
  return done;
}

export async function forget(name: string): Promise<void> {
  untilClosed.delete(name);
  await run('readwrite', (table) => table.delete(name));
}
