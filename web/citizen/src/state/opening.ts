/**
 * How this phone came to a request that a portal shows on a screen. What a code or a link says stands behind the `#` of the
 * address, which no server and no log sees; it is taken from there at once and kept in memory, until it was used.
 */

import * as citizen from '../api/citizen';
import { Refused } from '../api/client';
import type { SignatureRequest } from '../api/types';
import type { Channel } from '../device/statement';
import { withSession } from './session';

const PROOF = /^[ql]\.\d{1,12}\.[\w-]{16}$/;

/** A portal's QR holds the address of a request here, and what proves that it was read just now. */
export function requestInQr(
  text: string,
  origin: string,
): { id: string; proof: string | undefined } | undefined {
  const found = /^(https?:\/\/[^/]+)\/requests\/(req_[A-Za-z0-9]+)(?:#(.*))?$/.exec(text);
  const [, site, id, proof] = found ?? [];
  const isOurs = site === origin && (proof === undefined || PROOF.test(proof));
  return isOurs && id !== undefined ? { id, proof } : undefined;
}

/** What stands in the address bar is taken out of it: a page that is loaded again or kept in the history proves nothing. */
export function proofInAddress(): string | undefined {
  const proof = location.hash.slice(1);
  if (proof === '') {
    return undefined;
  }
  history.replaceState(history.state, '', location.pathname);
  return PROOF.test(proof) ? proof : undefined;
}

/** The request as it is, opened if it can be; `isOld`: the code or link was not of now. */
export async function openedRequest(
  id: string,
  proof: string | undefined,
): Promise<{ request: SignatureRequest; isOld: boolean }> {
  try {
    if (proof !== undefined) {
      return { request: await citizen.open(id, { proof }), isOld: false };
    }
  } catch (cause) {
    // A session that ended is opened again by whoever called; any other refusal is told by the request itself.
    if (!(cause instanceof Refused) || cause.problem.status === 401) {
      throw cause;
    }
    const isOld = cause.problem.code.startsWith('screen-code');
    return { request: await citizen.request(id), isOld };
  }
  return { request: await citizen.request(id), isOld: false };
}

/** Whether the two digits have yet to be typed, or a code to be read. */
export function isUnopened(request: SignatureRequest): boolean {
  return request.on_screen && request.channel === undefined && request.state === 'pending';
}

/** What the statement says: as proved to the server; what came without a screen came by itself, but for what is asked here. */
export function channelOf(request: SignatureRequest): Channel {
  return request.channel ?? (request.kind === 'acceptance' ? 'same-device' : 'push');
}

/** A code was read in front of the screen; the request can be shown. */
export const openByProof = (id: string, proof: string) => withSession(() => citizen.open(id, { proof }));
export const openByDigits = (id: string, digits: string) => withSession(() => citizen.open(id, { digits }));
