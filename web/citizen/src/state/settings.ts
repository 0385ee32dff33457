/** How the person likes to read: language and size of letters. */

import { signal } from '@preact/signals';
import { type Language, speak } from '../messages';
import { keep, kept } from './store';

export const bigText = signal(false);

export async function loadSettings(): Promise<void> {
  showBigText((await kept<boolean>('big-text')) === true);
  const language = await kept<Language>('language');
  if (language === 'en') {
    await speak(language);
  }
}

export function setBigText(big: boolean): void {
  showBigText(big);
  void keep('big-text', big);
}

export async function setLanguage(language: Language): Promise<void> {
  await speak(language);
  void keep('language', language);
}

function showBigText(big: boolean): void {
  bigText.value = big;
  document.documentElement.classList.toggle('big', big);
}
