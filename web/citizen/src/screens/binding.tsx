/** S13, S14, S19: the PIN, the phone's own lock, the certificate that is accepted. */

import { useEffect, useState } from 'preact/hooks';
import { now } from '../api/client';
import * as api from '../api/enrolment';
import type { DeviceChallenge } from '../api/types';
import { bindPhone } from '../device/act';
import { canMakePasskey, type DeviceKey, makeBrowserKey, makePasskey, PasskeyDeclined } from '../device/key';
import { isWeakPin } from '../device/pin';
import { words } from '../messages';
import { go } from '../router';
import { readDay } from '../rules/date';
import { draft, enrolment, held, nextScreen, refresh, seen } from '../state/enrolment';
import { deviceKey, isBound, markBound } from '../state/session';
import { forget, keep, kept } from '../state/store';
import { CodeField, Resend } from '../ui/code';
import { Page } from '../ui/page';
import { Alert, Busy, Button, ErrorSummary, Notice, type Wrong, wrongOf } from '../ui/parts';
import { PinPad } from '../ui/pin_pad';
import { FaultAlert, isCode, useLook, useWork, type Work } from '../ui/work';

type Problem = 'wrong' | 'locked' | 'refused' | 'old';

/**
 * The code first, then the PIN: whoever leaves for the messages and finds the page reloaded has lost nothing but a moment. The
 * challenge is kept meanwhile; code and PIN never are.
 */
type Stage =
  | { at: 'passkey' }
  | { at: 'code'; problem?: Problem }
  | { at: 'first'; code: string; problem?: 'weak' | 'personal' | 'differ' }
  | { at: 'second'; code: string; pin: string }
  | { at: 'sending' }
  | { at: 'sent' };

const CHALLENGE = 'binding-challenge';

export function PinScreen() {
  const t = words.value.pin;
  const [stage, setStage] = useState<Stage>({ at: 'code' });
  const [challenge, setChallenge] = useState<DeviceChallenge | undefined>(undefined);
  const [resendAt, setResendAt] = useState(0);
  const work = useWork();

  useEffect(() => {
    void kept<DeviceChallenge>(CHALLENGE).then((found) => {
      setChallenge(found !== undefined && found.expires_at > now() ? found : undefined);
      setResendAt(found?.resend_at ?? 0);
    });
    void canMakePasskey().then((can) => {
      if (can && deviceKey.value === undefined) {
        setStage({ at: 'passkey' });
      }
    });
  }, []);

  const drop = async () => {
    setChallenge(undefined);
    await forget(CHALLENGE);
  };
  const row = enrolment.value;
  const isPending = row?.binding === 'pending' || row?.next[0] === 'wait-device';
  useLook(
    async () => {
      const shown = await refresh();
      if (shown.binding === 'bound') {
        await drop();
        await markBound();
        go('/enrol/acceptance', true);
      } else if (shown.binding !== undefined && shown.binding !== 'pending') {
        await drop();
        setStage({ at: 'code', problem: problemOf(shown.binding) });
      }
    },
    1_000,
    stage.at === 'sent' || (isPending && stage.at !== 'sending'),
  );

  const send = () =>
    work.run(async () => {
      const fresh = await api.bindingChallenge(held());
      setChallenge(fresh);
      setResendAt(fresh.resend_at);
      await keep(CHALLENGE, fresh);
      setStage({ at: 'code' });
    });
  const bind = (to: DeviceChallenge, pin: string, code: string) =>
    work.run(async () => {
      setStage({ at: 'sending' });
      try {
        const key: DeviceKey = deviceKey.value ?? (await makeBrowserKey());
        deviceKey.value = key;
        seen(await bindPhone(held(), key, to, { pin, code }));
        setStage({ at: 'sent' });
      } catch (cause) {
        // Sent or not is not known: the row says. What was typed is entered anew.
        if (isCode(cause, 'challenge-invalid')) {
          await drop();
        }
        setStage({ at: 'code', problem: isCode(cause, 'challenge-invalid') ? 'old' : undefined });
        throw cause;
      }
    });
  const entered = (pin: string) => {
    work.clear();
    if (stage.at === 'second') {
      if (stage.pin !== pin) {
        setStage({ at: 'first', code: stage.code, problem: 'differ' });
      } else if (challenge === undefined || challenge.expires_at <= now()) {
        void drop();
        setStage({ at: 'code', problem: 'old' });
      } else {
        void bind(challenge, pin, stage.code);
      }
    } else if (stage.at === 'first') {
      const problem = isWeakPin(pin) ? 'weak' : isPersonal(pin) ? 'personal' : undefined;
      const { code } = stage;
      setStage(problem === undefined ? { at: 'second', code, pin } : { at: 'first', code, problem });
    }
  };

  if (stage.at === 'sending' || stage.at === 'sent' || isPending) {
    return (
      <Page title={words.value.bindingCode.askTitle} step={7}>
        <Busy text={t.binding} />
      </Page>
    );
  }
  if (stage.at === 'passkey') {
    return <PasskeyOffer onDone={() => setStage({ at: 'code' })} />;
  }
  if (stage.at === 'code') {
    return (
      <BindingCode
        challenge={challenge}
        resendAt={resendAt}
        problem={stage.problem}
        work={work}
        onSend={send}
        onCode={(code) => setStage({ at: 'first', code })}
      />
    );
  }
  const isSecond = stage.at === 'second';
  const problem = stage.at === 'first' ? stage.problem : undefined;
  const { code } = stage;
  return (
    <Page
      title={isSecond ? t.again : t.title}
      step={7}
      back={isSecond ? () => setStage({ at: 'first', code }) : undefined}
    >
      <p>{isSecond ? t.againText : t.text}</p>
      {problem !== undefined && <Alert>{t[problem]}</Alert>}
      <FaultAlert fault={work.fault} />
      <PinPad key={stage.at} onDone={entered} isBusy={work.isBusy} />
    </Page>
  );
}

function problemOf(refusal: string): Problem {
  const known: Record<string, Problem> = { 'code-wrong': 'wrong', 'code-locked': 'locked' };
  return known[refusal] ?? 'refused';
}

/** The code that proves, to the keystore itself, that the phone is in its owner's hand. */
function BindingCode({
  challenge,
  resendAt,
  problem,
  work,
  onSend,
  onCode,
}: {
  challenge: DeviceChallenge | undefined;
  resendAt: number;
  problem: Problem | undefined;
  work: Work;
  onSend: () => void;
  onCode: (code: string) => void;
}) {
  const t = words.value.bindingCode;
  const [code, setCode] = useState('');
  const [errors, setErrors] = useState<Wrong[]>([]);
  if (problem === 'locked') {
    return (
      <Page title={t.askTitle} step={7}>
        <Alert>{t.locked}</Alert>
      </Page>
    );
  }
  if (challenge === undefined) {
    const to = enrolment.value?.code?.destination;
    return (
      <Page title={t.askTitle} step={7}>
        {problem !== undefined && <Alert>{t[problem]}</Alert>}
        {problem === undefined && <FaultAlert fault={work.fault} />}
        <p>{to === undefined ? t.askTextPlain : t.askText(to)}</p>
        <Resend at={resendAt} text={t.send} onResend={onSend} isBusy={work.isBusy} />
      </Page>
    );
  }
  const confirm = () => {
    const isWhole = /^[0-9]{6}$/.test(code);
    setErrors(isWhole ? [] : [{ id: 'code', say: () => words.value.code.form }]);
    if (isWhole) {
      onCode(code);
    }
  };
  return (
    <Page title={words.value.code.title(challenge.destination)} step={7}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          confirm();
        }}
      >
        <ErrorSummary errors={errors} />
        <FaultAlert fault={work.fault} />
        <CodeField label={t.label} value={code} error={wrongOf(errors, 'code')} onInput={setCode} />
        <Notice kind="warning">{words.value.code.never}</Notice>
        <div class="actions">
          <Button type="submit">{t.next}</Button>
          <Resend at={resendAt} onResend={onSend} isBusy={work.isBusy} />
        </div>
      </form>
    </Page>
  );
}

/** The PIN is part of a day of birth, the phone number or the identity number: the first things a stranger would try. */
function isPersonal(pin: string): boolean {
  const { form, phone } = draft.value;
  const owner = enrolment.value?.owner;
  const born = readDay(owner?.birth_date ?? form.birth_date);
  const two = (number: number) => String(number).padStart(2, '0');
  const days =
    born === undefined
      ? []
      : [
          `${two(born.day)}${two(born.month)}${two(born.year % 100)}`,
          `${two(born.year % 100)}${two(born.month)}${two(born.day)}`,
          `${two(born.month)}${born.year}`,
        ];
  const numbers = [owner?.phone ?? phone, owner?.identity_number ?? form.identity_number];
  return days.includes(pin) || numbers.some((number) => number.includes(pin));
}

function PasskeyOffer({ onDone }: { onDone: () => void }) {
  const t = words.value.passkey;
  const [isDeclined, setDeclined] = useState(false);
  const work = useWork();
  const use = () =>
    work.run(async () => {
      try {
        deviceKey.value = await makePasskey(words.value.brand);
        onDone();
      } catch (cause) {
        if (!(cause instanceof PasskeyDeclined)) {
          throw cause;
        }
        setDeclined(true);
      }
    });
  return (
    <Page title={t.title} step={7}>
      <p>{t.text}</p>
      {isDeclined && <Alert>{t.declined}</Alert>}
      <FaultAlert fault={work.fault} />
      <div class="actions">
        <Button icon="shield" onClick={use} isBusy={work.isBusy}>
          {t.use}
        </Button>
        <Button kind="plain" onClick={onDone}>
          {t.skip}
        </Button>
      </div>
    </Page>
  );
}

/** S19: waits for the acceptance record, then leads to it. */
export function AcceptanceScreen() {
  const row = enrolment.value;
  const request = row?.acceptance_request;
  useLook(
    async () => {
      const shown = await refresh();
      if (shown.binding === 'bound' && !isBound.value && deviceKey.value !== undefined) {
        await markBound();
      }
      if (shown.acceptance_request !== undefined) {
        go(`/requests/${shown.acceptance_request}`, true);
      } else if (shown.next[0] !== 'acceptance') {
        go(nextScreen(shown), true);
      }
    },
    1_000,
    request === undefined || row?.state !== 'complete',
  );
  const t = words.value.acceptance;
  return (
    <Page title={t.title} step={7}>
      <Busy text={t.preparing} />
    </Page>
  );
}
