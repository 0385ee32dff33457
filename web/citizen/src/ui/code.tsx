/** A code that was sent: the field, and sending another when it may be asked for. */

import { useEffect, useState } from 'preact/hooks';
import { now } from '../api/client';
import { words } from '../messages';
import { Button, TextField } from './parts';

export function CodeField({
  label,
  value,
  error,
  onInput,
}: {
  label: string;
  value: string;
  error: string | undefined;
  onInput: (code: string) => void;
}) {
  return (
    <TextField
      id="code"
      label={label}
      error={error}
      inputMode="numeric"
      autoComplete="one-time-code"
      maxLength={6}
      isShort
      value={value}
      onInput={(typed) => onInput(typed.replace(/\D/g, ''))}
    />
  );
}

/** Counts down to `at`, then offers the button. */
export function Resend({
  at,
  text,
  onResend,
  isBusy,
}: {
  at: number;
  /** Of the button, where it is the first thing to press. */
  text?: string;
  onResend: () => void;
  isBusy: boolean;
}) {
  const t = words.value.code;
  const [, tick] = useState(0);
  const seconds = Math.ceil((at - now()) / 1000);
  useEffect(() => {
    if (seconds <= 0) {
      return;
    }
    const timer = setTimeout(() => tick((count) => count + 1), 1000);
    return () => clearTimeout(timer);
  });
  return seconds > 0 ? (
    <p class="soft centre">{t.resendIn(seconds)}</p>
  ) : (
    <Button kind={text === undefined ? 'second' : 'primary'} onClick={onResend} isBusy={isBusy}>
      {text ?? t.resend}
    </Button>
  );
}
