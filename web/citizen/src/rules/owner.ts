/**
 * The owner's form: every broken rule at once, each as field and stable code, as the server answers them. Rules that need the
 * server's own knowledge (whether a commune exists, the provider's youngest age) are left to it.
 */

import { emailFault, phoneFault } from './contact';
import { type Day, readDay, wireDay } from './date';
import { readLine, readName } from './name';
import { ageOn, cardExpiresOn, isBefore, readNumber } from './number';

/** What is typed, as it stands in the fields. */
export interface OwnerForm {
  full_name: string;
  identity_number: string;
  birth_date: string;
  sex: '' | 'male' | 'female';
  issue_date: string;
  issue_place: string;
  email: string;
  province_code: string;
  commune_code: string;
  detail: string;
}

export interface Fault {
  field: string;
  code: string;
}

/** Nobody alive is older; a typing mistake is. */
const AGE_MAX = 120;
/** Law on Citizen Identification 59/2014/QH13 took effect. */
const FIRST_CARD: Day = { year: 2016, month: 1, day: 1 };

export const EMPTY: OwnerForm = {
  full_name: '',
  identity_number: '',
  birth_date: '',
  sex: '',
  issue_date: '',
  issue_place: '',
  email: '',
  province_code: '',
  commune_code: '',
  detail: '',
};

export function ownerFaults(form: OwnerForm, phone: string, today: Day): Fault[] {
  const faults: Fault[] = [];
  const add = (field: string, code: string | undefined) => {
    if (code !== undefined) {
      faults.push({ field, code });
    }
  };
  const text = (field: string, read: ReturnType<typeof readName>) =>
    add(field, 'code' in read ? read.code : undefined);
  const day = (field: 'birth_date' | 'issue_date') => {
    const read = readDay(form[field]);
    if (read === undefined) {
      add(field, form[field] === '' ? 'required' : 'date');
      return undefined;
    }
    if (isBefore(today, read)) {
      add(field, 'in-future');
      return undefined;
    }
    return read;
  };

  text('full_name', readName(form.full_name));
  const says = readNumber(form.identity_number);
  add('identity_number', typeof says === 'string' ? says : undefined);
  const birth = day('birth_date');
  add('sex', form.sex === '' ? 'required' : undefined);
  const issued = day('issue_date');
  text('issue_place', readLine(form.issue_place));
  if (typeof says !== 'string') {
    add(
      'birth_date',
      birth !== undefined && birth.year !== says.birthYear ? 'birth-year-mismatch' : undefined,
    );
    add('sex', form.sex !== '' && form.sex !== says.sex ? 'sex-mismatch' : undefined);
  }
  add('birth_date', birth !== undefined && ageOn(birth, today) > AGE_MAX ? 'too-old' : undefined);
  add(
    'issue_date',
    birth === undefined || issued === undefined ? undefined : cardFault(birth, issued, today),
  );
  add('phone', phoneFault(phone));
  add('email', emailFault(form.email));
  add('address.province_code', form.province_code === '' ? 'required' : undefined);
  add('address.commune_code', form.commune_code === '' ? 'required' : undefined);
  text('address.detail', readLine(form.detail));
  return faults;
}

function cardFault(birth: Day, issued: Day, today: Day): string | undefined {
  if (isBefore(issued, birth)) {
    return 'before-birth';
  }
  if (isBefore(issued, FIRST_CARD)) {
    return 'before-first-card';
  }
  const expires = cardExpiresOn(birth, issued);
  return expires !== undefined && !isBefore(today, expires) ? 'card-expired' : undefined;
}

/** Dates of a form that has no fault, as the wire carries them. */
export function wireDate(typed: string): string {
  const day = readDay(typed);
  return day === undefined ? typed : wireDay(day);
}

/** Who issued cards on that day, as printed on them: the name has changed twice. */
export function issuerOn(issued: Day): string {
  if (!isBefore(issued, { year: 2024, month: 7, day: 1 })) {
    return 'Bộ Công an';
  }
  return isBefore(issued, { year: 2018, month: 10, day: 10 })
    ? 'Cục Cảnh sát đăng ký quản lý cư trú và dữ liệu quốc gia về dân cư'
    : 'Cục Cảnh sát quản lý hành chính về trật tự xã hội';
}
