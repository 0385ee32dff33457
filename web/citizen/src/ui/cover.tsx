/**
 * After two minutes without a touch, personal screens are hidden, so that a phone left on a table tells nothing. It hides, it
 * does not protect: what protects is the PIN that every signature asks for.
 */

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { words } from '../messages';
import { Page } from './page';
import { Button } from './parts';

const IDLE_MS = 120_000;

const isIdle = signal(false);
let touchedAt = Date.now();

/** Whether nobody has touched the page for two minutes. A camera that is open counts as a touch. */
export function useIdle(): boolean {
  useEffect(() => {
    const touch = () => {
      // A touch uncovers nothing by itself: the person presses the button of the cover.
      if (!isIdle.value) {
        touchedAt = Date.now();
      }
    };
    const look = () => {
      if (document.querySelector('video') !== null) {
        touch();
      }
      isIdle.value = Date.now() - touchedAt > IDLE_MS;
    };
    const timer = setInterval(look, 5_000);
    const events = ['pointerdown', 'touchstart', 'keydown', 'scroll', 'mousemove'];
    for (const name of events) {
      document.addEventListener(name, touch, { passive: true });
    }
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      for (const name of events) {
        document.removeEventListener(name, touch);
      }
      document.removeEventListener('visibilitychange', look);
    };
  }, []);
  return isIdle.value;
}

export function Cover() {
  const t = words.value.cover;
  const open = () => {
    touchedAt = Date.now();
    isIdle.value = false;
  };
  return (
    <Page title={t.title}>
      <p>{t.text}</p>
      <Button onClick={open}>{t.open}</Button>
    </Page>
  );
}
