/** The acts of this phone that the keystore judges: binding itself with a PIN, changing the PIN, approving a request with it. */

import * as citizen from '../api/citizen';
import { now } from '../api/client';
import * as enrolmentApi from '../api/enrolment';
import type { ApprovalKey, Enrolment, SignatureRequest } from '../api/types';
import { toBase64url } from './bytes';
import type { DeviceKey } from './key';
import { sealPin, sealPinAndCode } from './pin';
import { approval, binding, type Channel, pinChange } from './statement';

/** Binds this phone and its PIN to the credential of an enrolment, with the code that came for the challenge. */
export async function bindPhone(
  ticket: enrolmentApi.Ticket,
  key: DeviceKey,
  { nonce, credential }: { nonce: string; credential: string },
  secret: { pin: string; code: string },
): Promise<Enrolment> {
  const approvalKey = await citizen.approvalKey(credential);
  const statement = binding(ticket.id, key.wire.public_key, nonce, now());
  const signature = await key.sign(statement);
  return enrolmentApi.bind(ticket, {
    statement: toBase64url(statement),
    device: key.wire,
    signature,
    sealed_pin: await sealPinAndCode(secret.pin, secret.code, statement, approvalKey),
  });
}

/** An approval of the request as it was shown, ready to be sent once. */
export async function approvalOf(
  request: SignatureRequest,
  key: DeviceKey,
  pin: string,
  channel: Channel,
  approvalKey: ApprovalKey,
): Promise<citizen.ApprovalBody> {
  const statement = approval(request, channel, now());
  const signature = await key.sign(statement);
  return {
    statement: toBase64url(statement),
    signature,
    sealed_pin: await sealPin(pin, statement, approvalKey),
  };
}

/** Another PIN in place of the one in force; both are sealed for the same statement. */
export async function changePinOf(
  credential: string,
  key: DeviceKey,
  current: string,
  fresh: string,
  approvalKey: ApprovalKey,
): Promise<citizen.ChangeBody> {
  const { nonce } = await citizen.sessionChallenge();
  const statement = pinChange(credential, key.wire.public_key, nonce, now());
  const signature = await key.sign(statement);
  return {
    statement: toBase64url(statement),
    device: key.wire,
    signature,
    sealed_pin: await sealPin(fresh, statement, approvalKey),
    current_pin: await sealPin(current, statement, approvalKey),
  };
}
