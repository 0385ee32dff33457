/**
 * P-256 public keys in the three forms that meet here: SubjectPublicKeyInfo (RFC 5480) on the wire, the uncompressed
 * point inside it, and JWK (RFC 7517), the one form that every WebCrypto since Chromium 37 and Safari 11 reads and writes.
 */

import { type Bytes, concat, fromBase64url, fromHex, toBase64url } from './bytes';

/** SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING (66 octets, none unused) … */
const SPKI_HEAD = fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200') as Bytes;
const POINT_BYTES = 65;

export function spkiOfPoint(point: Uint8Array): Bytes {
  return concat(SPKI_HEAD, point);
}

/** `undefined` when the bytes are not a P-256 key with an uncompressed point. */
export function pointOfSpki(spki: Bytes): Bytes | undefined {
  const point = spki.subarray(SPKI_HEAD.length);
  const isHead = SPKI_HEAD.every((byte, at) => spki[at] === byte);
  return isHead && point.length === POINT_BYTES && point[0] === 4 ? point : undefined;
}

export function jwkOfPoint(point: Uint8Array): JsonWebKey {
  return {
    kty: 'EC',
    crv: 'P-256',
    x: toBase64url(point.subarray(1, 33)),
    y: toBase64url(point.subarray(33)),
  };
}

export async function pointOfKey(publicKey: CryptoKey): Promise<Bytes> {
  const { x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  return concat(Uint8Array.of(4), fromBase64url(x ?? ''), fromBase64url(y ?? ''));
}
