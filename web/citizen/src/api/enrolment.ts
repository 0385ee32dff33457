/** Enrolment, call by call. `Ticket` names the one this phone began; what opens it is a cookie. */

import { callBytes, callJson, callPicture } from './client';
import type {
  Campaign,
  Code,
  DeviceChallenge,
  DeviceKeyWire,
  DeviceSignatureWire,
  Enrolment,
  Evidence,
  Owner,
  PhotoKind,
  Plan,
  SealedPin,
} from './types';

export interface Ticket {
  id: string;
}

/** What a phone has once an enrolment is its own. */
export interface Started {
  ticket: Ticket;
  enrolment: Enrolment;
}

/** A code is on its way, if somebody has an enrolment under way with the number asked for. */
export interface Resumption {
  id: string;
  destination: string;
  expires_at: number;
  resend_at: number;
}

export interface BindingBody {
  statement: string;
  device: DeviceKeyWire;
  signature: DeviceSignatureWire;
  sealed_pin: SealedPin;
}

export const plans = () => callJson<Plan[]>('/v1/plans');
export const campaign = (code: string) => callJson<Campaign>(`/v1/campaigns/${encodeURIComponent(code)}`);

export async function begin(choice: {
  campaign?: string;
  plan?: string;
  language: string;
}): Promise<Started> {
  return started('/v1/enrolments', choice);
}

async function started(path: string, json: unknown): Promise<Started> {
  const { enrolment } = await callJson<{ enrolment: Enrolment }>(path, { method: 'POST', json });
  return { ticket: { id: enrolment.id }, enrolment };
}

const RESUMPTIONS = '/v1/enrolment-resumptions';

export const askToResume = (phone: string) =>
  callJson<Resumption>(RESUMPTIONS, { method: 'POST', json: { phone } });
/** From now on only this phone's cookie opens it. An empty `identityNumber`: none is in the dossier yet. */
export const resume = (id: string, code: string, identityNumber: string) =>
  started(`${RESUMPTIONS}/${encodeURIComponent(id)}/session`, {
    code,
    identity_number: identityNumber === '' ? undefined : identityNumber,
  });

/** The one that this phone's cookie opens: for a phone that lost what it had kept. */
export const current = () => callJson<Enrolment>('/v1/enrolments/current');

/** Empties the cookie; the enrolment stays, and goes on from any phone by a code. */
export const leave = () => callJson<undefined>('/v1/enrolments/current', { method: 'DELETE' });

function at<T>(ticket: Ticket, step: string, method?: 'POST' | 'PUT' | 'DELETE', json?: unknown): Promise<T> {
  return callJson<T>(`/v1/enrolments/${ticket.id}${step}`, { method, json });
}

export const show = (ticket: Ticket) => at<Enrolment>(ticket, '');
export const putContact = (ticket: Ticket, phone: string, email: string) =>
  at<Enrolment>(ticket, '/contact', 'PUT', { phone, email });
export const sendCode = (ticket: Ticket, channel: 'sms' | 'email') =>
  at<Code>(ticket, '/activation-codes', 'POST', { channel });
export const activate = (ticket: Ticket, code: string) =>
  at<Enrolment>(ticket, '/activation', 'POST', { code });
export const putOwner = (ticket: Ticket, owner: Owner) => at<Enrolment>(ticket, '/owner', 'PUT', owner);
export const pay = (ticket: Ticket) => at<Enrolment>(ticket, '/payment', 'POST', {});
export const putPhoto = (ticket: Ticket, kind: PhotoKind, photo: Blob) =>
  callJson<Evidence>(`/v1/enrolments/${ticket.id}/evidence/${kind}`, {
    method: 'PUT',
    body: photo,
  });
export const contractPdf = (ticket: Ticket) => callBytes(`/v1/enrolments/${ticket.id}/contract`);
export const contractPage = (ticket: Ticket, page: number, width: number) =>
  callPicture(`/v1/enrolments/${ticket.id}/contract/pages/${page}?width=${width}`);
export const signContract = (ticket: Ticket, sha256: string, agreement: string) =>
  at<Enrolment>(ticket, '/contract/signature', 'POST', { sha256, agreement });
export const submit = (ticket: Ticket) => at<Enrolment>(ticket, '/submission', 'POST', {});
export const abandon = (ticket: Ticket) => at<Enrolment>(ticket, '', 'DELETE');
export const bindingChallenge = (ticket: Ticket) =>
  at<DeviceChallenge>(ticket, '/device-challenges', 'POST', {});
export const bind = (ticket: Ticket, body: BindingBody) => at<Enrolment>(ticket, '/device', 'PUT', body);
export const acceptanceRecord = (ticket: Ticket) =>
  callBytes(`/v1/enrolments/${ticket.id}/acceptance-record`);
