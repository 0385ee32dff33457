/**
 * The bound phone's session: opened by the device key whenever one is needed, never by a password. What opens it afterwards is
 * a cookie that no script reads; kept here is only when it ends, for all tabs.
 */

import { signal } from '@preact/signals';
import * as citizen from '../api/citizen';
import { now, Refused } from '../api/client';
import type { Session } from '../api/types';
import { toBase64url } from '../device/bytes';
import { type DeviceKey, loadDeviceKey, thumbprint } from '../device/key';
import { session as sessionStatement } from '../device/statement';
import { forget, keep, kept } from './store';

const PLACE = 'session-ends';
/** One that ends sooner is made anew before it is used. */
const FRESH_MS = 6 * 3_600_000;
/** One that ends sooner counts as ended. */
const SPARE_MS = 10_000;

/** This phone's key; `undefined` until it is bound for the first time. */
export const deviceKey = signal<DeviceKey | undefined>(undefined);
/** Whether the keystore has bound this phone to a credential. */
export const isBound = signal(false);

let endsAt: number | undefined;
let opening: Promise<void> | undefined;

export async function loadSession(): Promise<void> {
  deviceKey.value = await loadDeviceKey();
  isBound.value = deviceKey.value !== undefined && (await kept<boolean>('bound')) === true;
  endsAt = await kept<number>(PLACE);
}

export async function markBound(): Promise<void> {
  isBound.value = true;
  await keep('bound', true);
}

/** The server no longer knows this phone. */
export async function markUnbound(): Promise<void> {
  isBound.value = false;
  await drop();
  await forget('bound');
}

/** Runs a call within a session; one that has ended is opened again, once. */
export async function withSession<T>(call: () => Promise<T>): Promise<T> {
  await opened();
  try {
    return await call();
  } catch (cause) {
    if (!(cause instanceof Refused) || cause.problem.status !== 401) {
      throw cause;
    }
    await drop();
    await opened();
    return call();
  }
}

async function opened(): Promise<void> {
  const left = endsAt === undefined ? 0 : endsAt - now();
  if (left > FRESH_MS) {
    return;
  }
  // Two screens that ask at once share one ceremony: a passkey must not ask its owner twice.
  opening ??= left > SPARE_MS ? rotate() : open();
  try {
    await opening;
  } finally {
    opening = undefined;
  }
}

/** A new cookie in the place of the old one, and as much time again. Without an answer the old one goes on. */
async function rotate(): Promise<void> {
  try {
    const fresh = await citizen.rotateSession();
    // Thirty days after it was opened it cannot be prolonged any more.
    const isLonger = fresh.expires_at > (endsAt ?? 0) + SPARE_MS;
    await (isLonger ? remember(fresh) : open());
  } catch (cause) {
    if (cause instanceof Refused && cause.problem.status === 401) {
      await open();
    }
  }
}

async function open(): Promise<void> {
  const key = deviceKey.value;
  if (key === undefined) {
    throw new Error('this phone has no device key');
  }
  const { nonce } = await citizen.sessionChallenge();
  const statement = sessionStatement(await thumbprint(key), nonce, now());
  const signature = await key.sign(statement);
  await remember(
    await citizen.openSession({ statement: toBase64url(statement), device: key.wire, signature }),
  );
}

async function remember({ expires_at }: Session): Promise<void> {
  endsAt = expires_at;
  await keep(PLACE, expires_at);
}

async function drop(): Promise<void> {
  endsAt = undefined;
  await forget(PLACE);
}
