/** What a bound phone does, call by call, within the session that a cookie holds. */

import { callBytes, callJson, callPicture } from './client';
import type {
  ApprovalKey,
  BindingChange,
  Credential,
  DeviceKeyWire,
  DeviceSignatureWire,
  SealedPin,
  Session,
  SignatureProof,
  SignatureRequest,
} from './types';

export interface ApprovalBody {
  statement: string;
  signature: DeviceSignatureWire;
  sealed_pin: SealedPin;
}

export interface ChangeBody {
  statement: string;
  device: DeviceKeyWire;
  signature: DeviceSignatureWire;
  /** The new PIN. */
  sealed_pin: SealedPin;
  current_pin: SealedPin;
}

/** Of the keystore that holds the key of a credential to which no phone is bound yet. */
export const approvalKey = (credential: string) =>
  callJson<ApprovalKey>(`/v1/approval-key?credential=${encodeURIComponent(credential)}`);
export const ownApprovalKey = () => callJson<ApprovalKey>('/v1/citizen/credential/approval-key');
export const sessionChallenge = () =>
  callJson<{ nonce: string }>('/v1/device-challenges', { method: 'POST', json: {} });
export const openSession = (body: {
  statement: string;
  device: DeviceKeyWire;
  signature: DeviceSignatureWire;
}) => callJson<Session>('/v1/device-sessions', { method: 'POST', json: body });
export const rotateSession = () =>
  callJson<Session>('/v1/citizen/session/rotation', { method: 'POST', json: {} });
export const closeSession = () => callJson<undefined>('/v1/citizen/session', { method: 'DELETE' });

export const credential = () => callJson<Credential>('/v1/citizen/credential');
export const suspend = () =>
  callJson<Credential>('/v1/citizen/credential/suspension', { method: 'POST', json: {} });

const BINDINGS = '/v1/citizen/credential/bindings';

export const change = (body: ChangeBody) => callJson<BindingChange>(BINDINGS, { method: 'POST', json: body });
export const changeState = (id: string) => callJson<BindingChange>(`${BINDINGS}/${encodeURIComponent(id)}`);

const REQUESTS = '/v1/citizen/signature-requests';

/** Newest first, those in one of `states` only, after the one called `before`. */
export const requests = (states: readonly string[], most: number, before?: string) =>
  callJson<SignatureRequest[]>(
    `${REQUESTS}?most=${most}&state=${states.join(',')}${before === undefined ? '' : `&before=${before}`}`,
  );
export const request = (id: string) => callJson<SignatureRequest>(`${REQUESTS}/${encodeURIComponent(id)}`);
export const document = (id: string, position: number) =>
  callBytes(`${REQUESTS}/${encodeURIComponent(id)}/documents/${position}`);
export const documentPage = (id: string, position: number, page: number, width: number) =>
  callPicture(`${REQUESTS}/${encodeURIComponent(id)}/documents/${position}/pages/${page}?width=${width}`);
export const signedDocument = (id: string, position: number) =>
  callBytes(`${REQUESTS}/${encodeURIComponent(id)}/documents/${position}/signed`);
export const proof = (id: string) => callJson<SignatureProof>(`${REQUESTS}/${encodeURIComponent(id)}/proof`);
/** By what stood in the code or link, or by the digits that its owner typed. */
export const open = (id: string, by: { proof: string } | { digits: string }) =>
  callJson<SignatureRequest>(`${REQUESTS}/${encodeURIComponent(id)}/opening`, { method: 'POST', json: by });
export const approve = (id: string, body: ApprovalBody) =>
  callJson<SignatureRequest>(`${REQUESTS}/${encodeURIComponent(id)}/approval`, {
    method: 'POST',
    json: body,
  });
export const refuse = (id: string, reason: 'not-me' | 'wrong-document' | 'other') =>
  callJson<SignatureRequest>(`${REQUESTS}/${encodeURIComponent(id)}/refusal`, {
    method: 'POST',
    json: { reason },
  });
