/** What a bound phone does, call by call. Each takes the session's token. */

import { callBytes, callJson } from './client';
import type {
  ApprovalKey,
  BindingChange,
  Credential,
  DeviceKeyWire,
  DeviceSignatureWire,
  SealedPin,
  Session,
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

export const approvalKey = () => callJson<ApprovalKey>('/v1/approval-key');
export const ownApprovalKey = (token: string) =>
  callJson<ApprovalKey>('/v1/citizen/credential/approval-key', { token });
export const sessionChallenge = () =>
  callJson<{ nonce: string }>('/v1/device-challenges', { method: 'POST', json: {} });
export const openSession = (body: {
  statement: string;
  device: DeviceKeyWire;
  signature: DeviceSignatureWire;
}) => callJson<Session>('/v1/device-sessions', { method: 'POST', json: body });
export const closeSession = (token: string) =>
  callJson<undefined>('/v1/citizen/session', { method: 'DELETE', token });

export const credential = (token: string) => callJson<Credential>('/v1/citizen/credential', { token });
export const suspend = (token: string) =>
  callJson<Credential>('/v1/citizen/credential/suspension', { method: 'POST', token, json: {} });

const BINDINGS = '/v1/citizen/credential/bindings';

export const change = (token: string, body: ChangeBody) =>
  callJson<BindingChange>(BINDINGS, { method: 'POST', token, json: body });
export const changeState = (token: string, id: string) =>
  callJson<BindingChange>(`${BINDINGS}/${encodeURIComponent(id)}`, { token });

const REQUESTS = '/v1/citizen/signature-requests';

export const requests = (token: string) => callJson<SignatureRequest[]>(`${REQUESTS}?most=100`, { token });
export const request = (token: string, id: string) =>
  callJson<SignatureRequest>(`${REQUESTS}/${encodeURIComponent(id)}`, { token });
export const document = (token: string, id: string, position: number) =>
  callBytes(`${REQUESTS}/${encodeURIComponent(id)}/documents/${position}`, token);
export const approve = (token: string, id: string, body: ApprovalBody) =>
  callJson<SignatureRequest>(`${REQUESTS}/${encodeURIComponent(id)}/approval`, {
    method: 'POST',
    token,
    json: body,
  });
export const refuse = (token: string, id: string, reason: 'not-me' | 'wrong-document' | 'other') =>
  callJson<SignatureRequest>(`${REQUESTS}/${encodeURIComponent(id)}/refusal`, {
    method: 'POST',
    token,
    json: { reason },
  });
