/** The statements a phone signs, and the document code that follows from the documents' digests. */

import type { SignatureRequest } from '../api/types';
import { type Bytes, concat, fromHex, sha256, utf8 } from './bytes';
import { canonical, type Json } from './canonical';

/** How long an approval or a binding stays good; the keystore takes no more than five minutes. */
const LIFETIME_MS = 240_000;

/** By what way the citizen came to the request. */
export type Channel = 'same-device' | 'qr' | 'push';

/** Binds this device to the credential of an enrolment. `deviceKey`: SubjectPublicKeyInfo, base64url. */
export function binding(enrolment: string, deviceKey: string, nonce: string, now: number): Bytes {
  return encode({
    type: 'kyso.binding.v1',
    purpose: 'enrol',
    enrolment,
    device_key: deviceKey,
    nonce,
    issued_at: now,
    expires_at: now + LIFETIME_MS,
  });
}

/** Another PIN for the credential, on the phone that is bound. */
export function pinChange(credential: string, deviceKey: string, nonce: string, now: number): Bytes {
  return encode({
    type: 'kyso.binding.v1',
    purpose: 'change-pin',
    credential,
    device_key: deviceKey,
    nonce,
    issued_at: now,
    expires_at: now + LIFETIME_MS,
  });
}

/** Opens a session. `device`: SHA-256 of the device key's SubjectPublicKeyInfo, base64url. */
export function session(device: string, nonce: string, now: number): Bytes {
  return encode({ type: 'kyso.session.v1', device, nonce, issued_at: now });
}

/** Approves a request exactly as it was shown. */
export function approval(request: SignatureRequest, channel: Channel, now: number): Bytes {
  return encode({
    ...matter(request),
    channel,
    nonce: request.nonce,
    issued_at: now,
    expires_at: now + LIFETIME_MS,
  });
}

/**
 * Whether both would be approved by the same words but for nonce and time. A request that comes back after a wrong PIN must be
 * what the person has looked at: otherwise one document is shown and another signed.
 */
export function isSameMatter(one: SignatureRequest, other: SignatureRequest): boolean {
  return canonical(matter(one)) === canonical(matter(other));
}

function matter(request: SignatureRequest): { [name: string]: Json } {
  return {
    type: 'kyso.approval.v1',
    version: 1,
    request: request.id,
    credential: request.credential,
    portal: request.portal,
    count: request.documents.length,
    documents: request.documents.map((document) => ({
      name: document.name,
      document_digest: document.document_digest.value,
      to_be_signed: document.to_be_signed.value,
      digest_algorithm: document.to_be_signed.algorithm,
      preview: document.preview,
    })),
    code: request.code,
  };
}

function encode(statement: { [name: string]: Json }): Bytes {
  return utf8(canonical(statement));
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * The document code that portal and phone show side by side: the first 40 bits of SHA-256 over the documents' digests in
 * order, in Crockford's base 32, in groups of four. Computed here instead of believed; `undefined` when a digest is not hex.
 */
export async function documentCode(
  documents: readonly { document_digest: { value: string } }[],
): Promise<string | undefined> {
  const digests: Bytes[] = [];
  for (const document of documents) {
    const digest = fromHex(document.document_digest.value);
    if (digest === undefined || digest.length === 0) {
      return undefined;
    }
    digests.push(digest);
  }
  if (digests.length === 0) {
    return undefined;
  }
  let bits = '';
  for (const byte of Array.from((await sha256(concat(...digests))).subarray(0, 5))) {
    bits += byte.toString(2).padStart(8, '0');
  }
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => CROCKFORD[Number.parseInt(five, 2)]).join('');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}
