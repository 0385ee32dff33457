/**
 * What the QR code of an identity card says: number | number of the old card | name | birth | sex | address | issue, separated
 * by bars, UTF-8, days as ddmmyyyy; the old number may be empty, and some cards carry more fields after these. Fields are
 * found by their shape rather than their place, so that a card with one field fewer is read too.
 */

import { printDay, readDay } from './date';
import { normalised } from './name';
import { readNumber } from './number';
import { issuerOn, type OwnerForm } from './owner';

/** The fields a card's QR fills, or `undefined` when it is another QR. */
export function readCard(text: string): Partial<OwnerForm> | undefined {
  const parts = text.split('|').map((part) => normalised(part));
  const number = parts[0] ?? '';
  const sexAt = parts.findIndex((part) => part === 'Nam' || part === 'Nữ');
  const birth = sexAt < 3 ? undefined : readDay(parts[sexAt - 1] ?? '');
  const name = sexAt < 3 ? '' : (parts[sexAt - 2] ?? '');
  if (typeof readNumber(number) === 'string' || birth === undefined || name === '') {
    return undefined;
  }
  const issued = readDay(parts[sexAt + 2] ?? '');
  return {
    identity_number: number,
    full_name: name,
    birth_date: printDay(birth),
    sex: parts[sexAt] === 'Nam' ? 'male' : 'female',
    ...(issued === undefined ? {} : { issue_date: printDay(issued), issue_place: issuerOn(issued) }),
    detail: parts[sexAt + 1] ?? '',
  };
}
