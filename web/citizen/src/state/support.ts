/** The number that "Gọi hỗ trợ" calls: the campaign's own once one was opened. Empty: none is known yet. */

import { signal } from '@preact/signals';
import { keep, kept } from './store';

export const support = signal('');

export async function loadSupport(): Promise<void> {
  support.value = (await kept<string>('support')) ?? '';
}

export function setSupport(phone: string): void {
  support.value = phone;
  void keep('support', phone);
}
