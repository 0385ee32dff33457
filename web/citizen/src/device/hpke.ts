/**
 * Hybrid public key encryption, base mode, one message (RFC 9180): DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
 * Seals what only the keystore may read. HKDF is written out of HMAC, because HPKE needs its two halves apart.
 */

import { type Bytes, concat, utf8 } from './bytes';
import { jwkOfPoint, pointOfKey } from './p256';

/** Section 4.1: "KEM" ‖ kem_id 0x0010. */
const KEM_SUITE = concat(utf8('KEM'), Uint8Array.of(0x00, 0x10));
/** Section 5.1: "HPKE" ‖ kem_id 0x0010 ‖ kdf_id 0x0001 ‖ aead_id 0x0001. */
const HPKE_SUITE = concat(utf8('HPKE'), Uint8Array.of(0x00, 0x10, 0x00, 0x01, 0x00, 0x01));
const NOTHING: Bytes = new Uint8Array(0);
/** RFC 5869, section 2.2: an absent salt is a string of HashLen zeros; WebCrypto takes no key of length zero. */
const NO_SALT: Bytes = new Uint8Array(32);
const ECDH = { name: 'ECDH', namedCurve: 'P-256' };

export interface Sealed {
  /** The encapsulated key: an uncompressed point. */
  enc: Bytes;
  /** Ciphertext and tag. */
  ciphertext: Bytes;
}

/** Seals `plaintext` to `receiver`, an uncompressed point. */
export async function seal(receiver: Bytes, info: Bytes, aad: Bytes, plaintext: Bytes): Promise<Sealed> {
  const ephemeral = (await crypto.subtle.generateKey(ECDH, false, ['deriveBits'])) as CryptoKeyPair;
  return sealWith(ephemeral, receiver, info, aad, plaintext);
}

/** {@link seal} with a given ephemeral key, for the vectors of the standard. */
export async function sealWith(
  ephemeral: CryptoKeyPair,
  receiver: Bytes,
  info: Bytes,
  aad: Bytes,
  plaintext: Bytes,
): Promise<Sealed> {
  const enc = await pointOfKey(ephemeral.publicKey);
  const peer = await crypto.subtle.importKey('jwk', jwkOfPoint(receiver), ECDH, false, []);
  const shared = new Uint8Array(
    await crypto.subtle.deriveBits({ name: 'ECDH', public: peer }, ephemeral.privateKey, 256),
  );
  const secret = await sharedSecret(shared, enc, receiver);
  const { key, nonce } = await keySchedule(secret, info);
  const aead = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt']);
  const algorithm = { name: 'AES-GCM', iv: nonce, additionalData: aad, tagLength: 128 };
  return { enc, ciphertext: new Uint8Array(await crypto.subtle.encrypt(algorithm, aead, plaintext)) };
}

/** ExtractAndExpand of DHKEM, section 4.1. */
async function sharedSecret(shared: Bytes, enc: Bytes, receiver: Bytes): Promise<Bytes> {
  const prk = await labeledExtract(KEM_SUITE, NO_SALT, 'eae_prk', shared);
  return labeledExpand(KEM_SUITE, prk, 'shared_secret', concat(enc, receiver), 32);
}

/** KeySchedule of the base mode, section 5.1: key and nonce of the first message. */
async function keySchedule(secret: Bytes, info: Bytes): Promise<{ key: Bytes; nonce: Bytes }> {
  const pskIdHash = await labeledExtract(HPKE_SUITE, NO_SALT, 'psk_id_hash', NOTHING);
  const infoHash = await labeledExtract(HPKE_SUITE, NO_SALT, 'info_hash', info);
  const context = concat(Uint8Array.of(0), pskIdHash, infoHash);
  const prk = await labeledExtract(HPKE_SUITE, secret, 'secret', NOTHING);
  return {
    key: await labeledExpand(HPKE_SUITE, prk, 'key', context, 16),
    nonce: await labeledExpand(HPKE_SUITE, prk, 'base_nonce', context, 12),
  };
}

function labeledExtract(suite: Bytes, salt: Bytes, label: string, ikm: Bytes): Promise<Bytes> {
  return hmac(salt, concat(utf8('HPKE-v1'), suite, utf8(label), ikm));
}

/** HKDF-Expand for at most one block of 32 octets, which is all that this suite needs. */
async function labeledExpand(
  suite: Bytes,
  prk: Bytes,
  label: string,
  info: Bytes,
  length: number,
): Promise<Bytes> {
  const labeled = concat(Uint8Array.of(0, length), utf8('HPKE-v1'), suite, utf8(label), info);
  return (await hmac(prk, concat(labeled, Uint8Array.of(1)))).slice(0, length);
}

async function hmac(key: Bytes, message: Bytes): Promise<Bytes> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign(algorithm, imported, message));
}
