/** Where a citizen is reached, by the rules of crates/registration/src/citizen/contact.rs. */

/** Digits as people type them, with spaces, dots or +84, to ten digits from 0. */
export function tidyPhone(typed: string): string {
  return typed.replace(/[\s.()-]/g, '').replace(/^\+84/, '0');
}

/** The code of the rule that a tidied number breaks. Only ranges 03, 05, 07, 08 and 09 are mobile. */
export function phoneFault(phone: string): string | undefined {
  if (phone === '') {
    return 'required';
  }
  if (!/^0[0-9]{9}$/.test(phone)) {
    return 'phone-form';
  }
  return /^0[35789]/.test(phone) ? undefined : 'not-mobile';
}

/** A plain ASCII address; empty is none. */
export function emailFault(typed: string): string | undefined {
  const email = typed.trim();
  if (email === '') {
    return undefined;
  }
  if (email.length > 254) {
    return 'too-long';
  }
  const [local = '', host = '', ...more] = email.split('@');
  const localOk =
    local.length <= 64 && local.split('.').every((part) => /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+$/.test(part));
  const labels = host.split('.');
  const label = (part: string) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(part);
  const hostOk =
    labels.length > 1 && labels.every(label) && !/^[0-9]+$/.test(labels[labels.length - 1] ?? '');
  return more.length === 0 && localOk && hostOk ? undefined : 'email-form';
}
