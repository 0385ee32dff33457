/**
 * The enrolment under way on this phone: the server's row as last seen, and what was typed and not yet sent. The row says
 * what comes next, so a phone may be closed anywhere and the person continues where they were.
 */

import { signal } from '@preact/signals';
import { Refused } from '../api/client';
import * as api from '../api/enrolment';
import type { Enrolment, Owner } from '../api/types';
import { normalised } from '../rules/name';
import { EMPTY, type OwnerForm, wireDate } from '../rules/owner';
import { forget, keep, kept } from './store';

/** What was chosen and typed, kept until the enrolment is complete. Never a PIN or a code. */
export interface Draft {
  campaign?: string;
  plan?: string;
  phone: string;
  email: string;
  form: OwnerForm;
  /** As the card's QR gave it, to tell the officer what was changed by hand. */
  read?: Partial<OwnerForm>;
  photosConsented?: boolean;
}

const EMPTY_DRAFT: Draft = { phone: '', email: '', form: EMPTY };

export const ticket = signal<api.Ticket | undefined>(undefined);
export const enrolment = signal<Enrolment | undefined>(undefined);
export const draft = signal<Draft>(EMPTY_DRAFT);

export async function loadEnrolment(): Promise<void> {
  ticket.value = await kept<api.Ticket>('enrolment');
  draft.value = { ...EMPTY_DRAFT, ...(await kept<Draft>('draft')) };
}

/** Takes up the enrolment that this phone's cookie opens, when what was kept is lost. `false`: none is under way. */
export async function recover(): Promise<boolean> {
  try {
    const row = await api.current();
    if (row.next.length === 0) {
      return false;
    }
    ticket.value = { id: row.id };
    await keep('enrolment', ticket.value);
    seen(row);
    return true;
  } catch (cause) {
    if (opensNothing(cause)) {
      return false;
    }
    throw cause;
  }
}

/** Whether the server says that this phone's cookie opens no enrolment. */
function opensNothing(cause: unknown): boolean {
  return cause instanceof Refused && cause.problem.status === 401;
}

export function change(part: Partial<Draft>): void {
  draft.value = { ...draft.value, ...part };
  void keep('draft', draft.value);
}

export function changeForm(part: Partial<OwnerForm>): void {
  change({ form: { ...draft.value.form, ...part } });
}

/** The row as the server has it now. */
export async function refresh(): Promise<Enrolment> {
  return seen(await api.show(held()));
}

export function seen(row: Enrolment): Enrolment {
  enrolment.value = row;
  return row;
}

export function held(): api.Ticket {
  if (ticket.value === undefined) {
    throw new Error('no enrolment is under way');
  }
  return ticket.value;
}

/** Begins one with the plan chosen, unless one is under way. */
export async function beginOnce(language: string): Promise<void> {
  if (ticket.value !== undefined) {
    return;
  }
  const { campaign, plan } = draft.value;
  const choice = campaign === undefined ? { plan } : { campaign };
  const started = await api.begin({ ...choice, language });
  ticket.value = started.ticket;
  await keep('enrolment', started.ticket);
  seen(started.enrolment);
}

/** Goes on with one that was begun elsewhere. What was typed here stays only if it was for the same number. */
export async function takeUp(started: api.Started, phone: string): Promise<Enrolment> {
  if (draft.value.phone !== phone) {
    draft.value = EMPTY_DRAFT;
    change({ phone });
  }
  ticket.value = started.ticket;
  await keep('enrolment', started.ticket);
  return seen(started.enrolment);
}

/** Forgets the enrolment: it is complete, or the person begins anew. The cookie first: with it, forgetting here would be in vain. */
export async function leave(): Promise<void> {
  try {
    await api.leave();
  } catch (cause) {
    if (!opensNothing(cause)) {
      throw cause;
    }
  }
  ticket.value = undefined;
  enrolment.value = undefined;
  draft.value = EMPTY_DRAFT;
  await forget('enrolment');
  await forget('draft');
}

/** The form as the wire carries it. */
export function ownerOf({ form, phone, read }: Draft): Owner {
  const asRead =
    read !== undefined &&
    (['full_name', 'identity_number', 'birth_date', 'sex', 'issue_date'] as const).every(
      (field) => read[field] === undefined || read[field] === form[field],
    );
  return {
    full_name: normalised(form.full_name),
    identity_kind: 'cccd',
    identity_number: form.identity_number,
    birth_date: wireDate(form.birth_date),
    sex: form.sex,
    issue_date: wireDate(form.issue_date),
    issue_place: normalised(form.issue_place),
    nationality: 'VNM',
    phone,
    email: form.email.trim(),
    address: {
      province_code: form.province_code,
      commune_code: form.commune_code,
      detail: normalised(form.detail),
    },
    source: read === undefined ? 'typed' : asRead ? 'qr' : 'qr-edited',
  };
}

/** The screen for the first step that is left. */
export function nextScreen(row: Enrolment): string {
  const step = row.next[0] ?? '';
  if (row.state === 'supplement') {
    return '/enrol/supplement';
  }
  if (step.startsWith('photo:')) {
    return '/enrol/photos';
  }
  const screens: Record<string, string> = {
    contact: '/enrol/phone',
    activation: '/enrol/code',
    owner: '/enrol/card',
    payment: '/enrol/payment',
    contract: '/enrol/contract',
    submit: '/enrol/submit',
    'wait-vetting': '/enrol/waiting',
    'wait-certificate': '/enrol/waiting',
    device: '/enrol/pin',
    'wait-device': '/enrol/pin',
    acceptance: '/enrol/acceptance',
  };
  return screens[step] ?? (row.state === 'complete' ? '/home' : '/enrol/ended');
}

/** Whether a screen has something to do for the row as it is: the next step, or one that leads to it. */
export function fits(screen: string, row: Enrolment): boolean {
  const doing: Record<string, (step: string) => boolean> = {
    '/enrol/details': (step) => step === 'owner' || step.startsWith('repair:'),
    '/enrol/photos': (step) => step.startsWith('photo:'),
    '/enrol/contract': (step) => step === 'contract',
  };
  return nextScreen(row) === screen || row.next.some((step) => doing[screen]?.(step) === true);
}
