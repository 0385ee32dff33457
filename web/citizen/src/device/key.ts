/**
 * The device key. A passkey with user verification where the phone has one (WebAuthn), else a P-256 key of WebCrypto that
 * cannot be exported and lives in IndexedDB. It proves that an act came from this phone; it signs no document.
 *
 * A browser may forget it (ITP, private browsing, a cleared profile): the device is then bound again, nothing is lost.
 */

import type { DeviceKeyWire, DeviceSignatureWire } from '../api/types';
import { keep, kept } from '../state/store';
import { type Bytes, fromBase64url, sha256, toBase64url } from './bytes';
import { pointOfKey, pointOfSpki, spkiOfPoint } from './p256';

const PLACE = 'device-key';
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256' };

/** What lies in IndexedDB. */
type Stored =
  | { kind: 'webcrypto'; privateKey: CryptoKey; spki: string }
  | { kind: 'webauthn'; credentialId: string; spki: string };

export interface DeviceKey {
  readonly wire: DeviceKeyWire;
  /** Signs the bytes of a statement; a passkey asks its owner first. */
  sign(statement: Bytes): Promise<DeviceSignatureWire>;
}

/** The passkey dialog was closed, or the phone refused. */
export class PasskeyDeclined extends Error {}

/** The key of this phone, when it has one. */
export async function loadDeviceKey(): Promise<DeviceKey | undefined> {
  const stored = await kept<Stored>(PLACE);
  return stored === undefined ? undefined : open(stored);
}

/** A new P-256 key that cannot leave this browser. */
export async function makeBrowserKey(): Promise<DeviceKey> {
  const pair = (await crypto.subtle.generateKey(ECDSA, false, ['sign', 'verify'])) as CryptoKeyPair;
  const spki = toBase64url(spkiOfPoint(await pointOfKey(pair.publicKey)));
  return remember({ kind: 'webcrypto', privateKey: pair.privateKey, spki });
}

/** Whether this phone can make a passkey that asks for a finger, a face or the screen lock. */
export async function canMakePasskey(): Promise<boolean> {
  const api = typeof PublicKeyCredential === 'undefined' ? undefined : PublicKeyCredential;
  // The public key must be readable without a CBOR decoder: getPublicKey is there from Chrome 85 and Safari 14.1 on.
  const readable =
    typeof AuthenticatorAttestationResponse !== 'undefined' &&
    'getPublicKey' in AuthenticatorAttestationResponse.prototype;
  if (api === undefined || !readable) {
    return false;
  }
  try {
    return await api.isUserVerifyingPlatformAuthenticatorAvailable();
  } catch {
    return false;
  }
}

/** A new passkey on this phone. `label` is what the phone's own list of passkeys shows. */
export async function makePasskey(label: string): Promise<DeviceKey> {
  const user = crypto.getRandomValues(new Uint8Array(16));
  const made = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        rp: { name: label },
        user: { id: user, name: label, displayName: label },
        // Nothing is concluded from this ceremony but the public key: what binds it is the signed statement.
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
        authenticatorSelection: {
          authenticatorAttachment: 'platform',
          userVerification: 'required',
          requireResidentKey: false,
        },
        attestation: 'none',
      },
    }),
  );
  const response = made.response as AuthenticatorAttestationResponse;
  const spki = new Uint8Array(response.getPublicKey() ?? new ArrayBuffer(0));
  if (pointOfSpki(spki) === undefined) {
    throw new PasskeyDeclined('the passkey is not of P-256');
  }
  const credentialId = toBase64url(new Uint8Array(made.rawId));
  return remember({ kind: 'webauthn', credentialId, spki: toBase64url(spki) });
}

/** Thumbprint of a device key: SHA-256 of its SubjectPublicKeyInfo, base64url. */
export async function thumbprint(key: DeviceKey): Promise<string> {
  return toBase64url(await sha256(fromBase64url(key.wire.public_key)));
}

async function remember(stored: Stored): Promise<DeviceKey> {
  await keep(PLACE, stored);
  return open(stored);
}

function open(stored: Stored): DeviceKey {
  return stored.kind === 'webcrypto'
    ? {
        wire: { kind: 'webcrypto', public_key: stored.spki },
        sign: async (statement) => ({ signature: await signInBrowser(stored.privateKey, statement) }),
      }
    : {
        wire: { kind: 'webauthn', public_key: stored.spki, credential_id: stored.credentialId },
        sign: (statement) => assert(stored.credentialId, statement),
      };
}

async function signInBrowser(key: CryptoKey, statement: Bytes): Promise<string> {
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  return toBase64url(new Uint8Array(await crypto.subtle.sign(algorithm, key, statement)));
}

/** An assertion with user verification whose challenge is SHA-256 of the statement. */
async function assert(credentialId: string, statement: Bytes): Promise<DeviceSignatureWire> {
  const challenge = await sha256(statement);
  const given = await asked(() =>
    navigator.credentials.get({
      publicKey: {
        challenge,
        allowCredentials: [{ type: 'public-key', id: fromBase64url(credentialId), transports: ['internal'] }],
        userVerification: 'required',
        timeout: 120_000,
      },
    }),
  );
  const response = given.response as AuthenticatorAssertionResponse;
  return {
    signature: toBase64url(new Uint8Array(response.signature)),
    authenticator_data: toBase64url(new Uint8Array(response.authenticatorData)),
    client_data_json: toBase64url(new Uint8Array(response.clientDataJSON)),
  };
}

async function asked(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let answer: Credential | null;
  try {
    answer = await ask();
  } catch (cause) {
    throw new PasskeyDeclined(cause instanceof Error ? cause.name : 'unknown');
  }
  if (answer === null) {
    throw new PasskeyDeclined('no credential');
  }
  return answer as PublicKeyCredential;
}
