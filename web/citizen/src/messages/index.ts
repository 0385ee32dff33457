/** The language in use, and instants as people read them. */

import { computed, signal } from '@preact/signals';
import { type Messages, vi } from './vi';

export type Language = 'vi' | 'en';

export const language = signal<Language>('vi');
const dictionary = signal<Messages>(vi);

/** The words, in the language in use. */
export const words = computed(() => dictionary.value);

export async function speak(chosen: Language): Promise<void> {
  dictionary.value = chosen === 'vi' ? vi : (await import('./en')).en;
  language.value = chosen;
  document.documentElement.lang = chosen;
}

/** What the server says in both languages, in the one in use. */
export function said(message: { message_vi: string; message_en: string }): string {
  return language.value === 'vi' ? message.message_vi : message.message_en;
}

const two = (number: number) => String(number).padStart(2, '0');

/** `14:32` by the phone's own clock. */
export function clock(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** `22/11/2026` */
export function day(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getDate())}/${two(date.getMonth() + 1)}/${date.getFullYear()}`;
}

/** `14:32` today, else `14:32, 22/11/2026`. */
export function moment(ms: number): string {
  return day(ms) === day(Date.now()) ? clock(ms) : `${clock(ms)}, ${day(ms)}`;
}
