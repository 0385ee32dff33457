/**
 * The PIN: which ones are too easy, and how one travels. It is sealed to the keystore for one statement (HPKE, with the
 * statement's digest as associated data); nothing between phone and keystore can read it or use it for another statement.
 */

import type { ApprovalKey, SealedPin } from '../api/types';
import { type Bytes, fromBase64url, sha256, toBase64url, utf8 } from './bytes';
import { seal } from './hpke';
import { pointOfSpki } from './p256';

const PIN = utf8('kyso.pin.v1');
/** For the first binding: twelve digits, the PIN and the code that was sent to the citizen. */
const PIN_AND_CODE = utf8('kyso.pin-and-code.v1');

/** Six digits. */
export function isPin(pin: string): boolean {
  return /^[0-9]{6}$/.test(pin);
}

/** One digit repeated, or a run up or down (890123 and 210987 included): the keystore refuses the same. */
export function isWeakPin(pin: string): boolean {
  const digits = Array.from(pin, Number);
  const steps = digits.slice(1).map((digit, at) => (10 + digit - (digits[at] ?? 0)) % 10);
  return [0, 1, 9].some((step) => steps.every((found) => found === step));
}

export function sealPin(pin: string, statement: Bytes, key: ApprovalKey): Promise<SealedPin> {
  return sealDigits(PIN, pin, statement, key);
}

export function sealPinAndCode(
  pin: string,
  code: string,
  statement: Bytes,
  key: ApprovalKey,
): Promise<SealedPin> {
  return sealDigits(PIN_AND_CODE, pin + code, statement, key);
}

async function sealDigits(
  info: Bytes,
  digits: string,
  statement: Bytes,
  key: ApprovalKey,
): Promise<SealedPin> {
  const receiver = pointOfSpki(fromBase64url(key.public_key));
  if (receiver === undefined) {
    throw new Error('the approval key is not a P-256 key');
  }
  const { enc, ciphertext } = await seal(receiver, info, await sha256(statement), utf8(digits));
  return { enc: toBase64url(enc), ciphertext: toBase64url(ciphertext) };
}
