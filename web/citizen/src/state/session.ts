/**
 * The bound phone's session: opened by the device key whenever one is needed, never by a password. The token lives as long
 * as the page (and its reloads), and nowhere else.
 */

import { signal } from '@preact/signals';
import * as citizen from '../api/citizen';
import { now, Refused } from '../api/client';
import type { Session } from '../api/types';
import { toBase64url } from '../device/bytes';
import { type DeviceKey, loadDeviceKey, thumbprint } from '../device/key';
import { session as sessionStatement } from '../device/statement';
import { forget, keep, kept } from './store';

const PLACE = 'kyso-session';

/** This phone's key; `undefined` until it is bound for the first time. */
export const deviceKey = signal<DeviceKey | undefined>(undefined);
/** Whether the keystore has bound this phone to a credential. */
export const isBound = signal(false);

let current: Session | undefined;
let opening: Promise<Session> | undefined;

export async function loadSession(): Promise<void> {
  deviceKey.value = await loadDeviceKey();
  isBound.value = deviceKey.value !== undefined && (await kept<boolean>('bound')) === true;
  try {
    const text = sessionStorage.getItem(PLACE);
    current = text === null ? undefined : (JSON.parse(text) as Session);
  } catch {
    current = undefined;
  }
}

export async function markBound(): Promise<void> {
  isBound.value = true;
  await keep('bound', true);
}

/** The server no longer knows this phone. */
export async function markUnbound(): Promise<void> {
  isBound.value = false;
  drop();
  await forget('bound');
}

/** Runs a call with a session's token; a session that has ended is opened again, once. */
export async function withSession<T>(call: (token: string) => Promise<T>): Promise<T> {
  const session = await opened();
  try {
    return await call(session.token);
  } catch (cause) {
    if (!(cause instanceof Refused) || cause.problem.status !== 401) {
      throw cause;
    }
    drop();
    return call((await opened()).token);
  }
}

async function opened(): Promise<Session> {
  if (current !== undefined && current.expires_at > now() + 10_000) {
    return current;
  }
  // Two screens that ask at once share one ceremony: a passkey must not ask its owner twice.
  opening ??= open();
  try {
    return await opening;
  } finally {
    opening = undefined;
  }
}

async function open(): Promise<Session> {
  const key = deviceKey.value;
  if (key === undefined) {
    throw new Error('this phone has no device key');
  }
  const { nonce } = await citizen.sessionChallenge();
  const statement = sessionStatement(await thumbprint(key), nonce, now());
  const signature = await key.sign(statement);
  current = await citizen.openSession({ statement: toBase64url(statement), device: key.wire, signature });
  try {
    sessionStorage.setItem(PLACE, JSON.stringify(current));
  } catch {
    // Kept for this page only.
  }
  return current;
}

function drop(): void {
  current = undefined;
  try {
    sessionStorage.removeItem(PLACE);
  } catch {
    // It was never kept.
  }
}
