/**
 * Six digits on large keys. The digits live in this component until they are handed over once, and are shown as dots only;
 * no input element, so no keyboard, form filler or browser ever sees them. Keys of a real keyboard work too.
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import { words } from '../messages';
import { Icon } from './icons';

const LENGTH = 6;

export function PinPad({ onDone, isBusy }: { onDone: (pin: string) => void; isBusy: boolean }) {
  const t = words.value.pin;
  const [digits, setDigits] = useState('');
  const done = useRef(onDone);
  done.current = onDone;
  const press = (digit: string) => {
    if (!isBusy && digits.length < LENGTH) {
      setDigits(digits + digit);
    }
  };
  const erase = () => setDigits(digits.slice(0, -1));
  useEffect(() => {
    if (digits.length === LENGTH) {
      // Handed over once; the pad is empty again whatever becomes of it.
      setDigits('');
      done.current(digits);
    }
  }, [digits]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (/^[0-9]$/.test(event.key)) {
        press(event.key);
      } else if (event.key === 'Backspace') {
        erase();
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would read its legend before each of eleven keys
    <div class="pin" role="group" aria-label={t.label}>
      <p class="pin-dots" role="status">
        {Array.from({ length: LENGTH }, (_, at) => (
          <i key={at} class={at < digits.length ? 'full' : ''} aria-hidden="true" />
        ))}
        <span class="hidden">{t.entered(digits.length)}</span>
      </p>
      <div class="keys">
        {['1', '2', '3', '4', '5', '6', '7', '8', '9'].map((digit) => (
          <button key={digit} type="button" class="key" aria-disabled={isBusy} onClick={() => press(digit)}>
            {digit}
          </button>
        ))}
        <span class="key none" />
        <button type="button" class="key" aria-disabled={isBusy} onClick={() => press('0')}>
          0
        </button>
        <button type="button" class="key quiet-key" aria-label={t.erase} onClick={erase}>
          <Icon name="erase" size={28} />
        </button>
      </div>
    </div>
  );
}
