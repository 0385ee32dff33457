/** One act at a time: runs it, says that it runs, and turns whatever goes wrong into words and a way on. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { Offline, Refused } from '../api/client';
import { PasskeyDeclined } from '../device/key';
import { moment, said, words } from '../messages';
import { Alert } from './parts';

const MOMENT_SECONDS = 90;

export interface Work {
  isBusy: boolean;
  fault: unknown;
  /** Runs `act` unless something runs already: no act is sent twice by an impatient finger. */
  run: (act: () => Promise<void>) => Promise<void>;
  clear: () => void;
}

export function useWork(): Work {
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState<unknown>(undefined);
  const running = useRef(false);
  const run = async (act: () => Promise<void>) => {
    if (running.current) {
      return;
    }
    running.current = true;
    setBusy(true);
    setFault(undefined);
    try {
      await act();
    } catch (cause) {
      setFault(cause);
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { isBusy, fault, run, clear: () => setFault(undefined) };
}

export function FaultAlert({ fault }: { fault: unknown }) {
  if (fault === undefined) {
    return null;
  }
  return (
    <Alert>
      <p>{textOf(fault)}</p>
      {fault instanceof Refused && fault.problem.status >= 500 && (
        <p class="small">{words.value.fault.reference(fault.problem.instance)}</p>
      )}
    </Alert>
  );
}

export function textOf(fault: unknown): string {
  const t = words.value;
  if (fault instanceof Refused) {
    const { problem, retryAfterSeconds } = fault;
    if (problem.code === 'code-wrong' && problem.tries_left !== undefined) {
      return t.code.left(problem.tries_left);
    }
    // A few seconds are counted down where another code is asked for; longer waits are said.
    return retryAfterSeconds === undefined || retryAfterSeconds < MOMENT_SECONDS
      ? said(problem)
      : `${said(problem)} ${t.fault.after(moment(Date.now() + retryAfterSeconds * 1000))}`;
  }
  if (fault instanceof Offline) {
    return t.fault.offline;
  }
  return fault instanceof PasskeyDeclined ? t.confirm.passkey : t.fault.unexpected;
}

export function isCode(fault: unknown, ...codes: string[]): boolean {
  return fault instanceof Refused && codes.includes(fault.problem.code);
}

/** Runs `look` now and again every `everyMs` while the page is visible. A failure is left to the next look. */
export function useLook(look: () => Promise<unknown>, everyMs: number, isOn = true): void {
  const latest = useRef(look);
  latest.current = look;
  useEffect(() => {
    if (!isOn) {
      return;
    }
    let timer = 0;
    let isOver = false;
    const again = () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(turn, everyMs);
    };
    const turn = async () => {
      if (!document.hidden) {
        await latest.current().catch(() => undefined);
      }
      if (!isOver) {
        again();
      }
    };
    const wake = () => {
      if (!document.hidden) {
        window.clearTimeout(timer);
        void turn();
      }
    };
    void turn();
    document.addEventListener('visibilitychange', wake);
    window.addEventListener('online', wake);
    return () => {
      isOver = true;
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', wake);
      window.removeEventListener('online', wake);
    };
  }, [everyMs, isOn]);
}
