/**
 * An enrolment goes on here: begun on another phone, or lost with what this browser kept. By the telephone number that was
 * proved, a fresh code, and the identity number once it is in the dossier. Number and code alone tell nobody anything.
 */

import { useEffect, useState } from 'preact/hooks';
import { now, Refused } from '../api/client';
import * as api from '../api/enrolment';
import { said, words } from '../messages';
import { go } from '../router';
import { phoneFault, tidyPhone } from '../rules/contact';
import { readNumber } from '../rules/number';
import { draft, nextScreen, takeUp } from '../state/enrolment';
import { forget, keep, kept } from '../state/store';
import { CodeField, Resend } from '../ui/code';
import { Page } from '../ui/page';
import { Alert, Button, ButtonLink, ErrorSummary, Notice, TextField, type Wrong, wrongOf } from '../ui/parts';
import { FaultAlert, isCode, useWork, type Work } from '../ui/work';

/** What is kept while the person looks for the code: where it went, never the code. */
interface Asked extends api.Resumption {
  phone: string;
}

const ASKED = 'resumption';

export function ResumeByPhoneScreen() {
  const t = words.value.resumption;
  const [asked, setAsked] = useState<Asked | undefined>(undefined);
  const [phone, setPhone] = useState(draft.value.phone);
  const [isNone, setNone] = useState(false);
  const work = useWork();
  useEffect(() => {
    void kept<Asked>(ASKED).then((found) => {
      if (found !== undefined && found.expires_at > now()) {
        setAsked(found);
        setPhone(found.phone);
      } else if (found !== undefined) {
        void forget(ASKED);
      }
    });
  }, []);
  const ask = (number: string) =>
    work.run(async () => {
      const sent = { ...(await api.askToResume(number)), phone: number };
      await keep(ASKED, sent);
      setNone(false);
      setAsked(sent);
    });
  const change = () => {
    work.clear();
    setNone(false);
    setAsked(undefined);
    void forget(ASKED);
  };
  const enter = (to: Asked, code: string, identityNumber: string) =>
    work.run(async () => {
      try {
        const started = await api.resume(to.id, code, identityNumber);
        await forget(ASKED);
        go(nextScreen(await takeUp(started, to.phone)), true);
      } catch (cause) {
        // The code was right and is used up; what did not fit is the person.
        if (isCode(cause, 'not-found')) {
          setNone(true);
          return;
        }
        throw cause;
      }
    });
  if (asked === undefined) {
    return <AskPhone phone={phone} onPhone={setPhone} work={work} onAsk={ask} />;
  }
  if (isNone) {
    return (
      <Page title={t.noneTitle} back={change}>
        <p>{t.noneText(asked.destination)}</p>
        <ul class="bullets">
          {t.noneWays.map((way) => (
            <li key={way}>{way}</li>
          ))}
        </ul>
        <FaultAlert fault={work.fault} />
        <div class="actions">
          <Resend
            at={asked.resend_at}
            text={t.again}
            onResend={() => ask(asked.phone)}
            isBusy={work.isBusy}
          />
          <ButtonLink href="/" kind="second">
            {words.value.home}
          </ButtonLink>
        </div>
      </Page>
    );
  }
  return <EnterCode key={asked.id} asked={asked} work={work} onAsk={ask} onEnter={enter} onChange={change} />;
}

function AskPhone({
  phone,
  onPhone,
  work,
  onAsk,
}: {
  phone: string;
  onPhone: (phone: string) => void;
  work: Work;
  onAsk: (phone: string) => void;
}) {
  const t = words.value.resumption;
  const [errors, setErrors] = useState<Wrong[]>([]);
  const send = () => {
    const tidy = tidyPhone(phone);
    const fault = phoneFault(tidy);
    setErrors(fault === undefined ? [] : [{ id: 'phone', say: () => words.value.rules[fault] ?? fault }]);
    if (fault === undefined) {
      onAsk(tidy);
    }
  };
  const refused =
    work.fault instanceof Refused
      ? (work.fault.problem.errors ?? []).map((fault) => ({ id: 'phone', say: () => said(fault) }))
      : [];
  const all = errors.length > 0 ? errors : refused;
  return (
    <Page title={t.title} back="/mine">
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <ErrorSummary errors={all} />
        {all.length === 0 && <FaultAlert fault={work.fault} />}
        <p>{t.text}</p>
        <TextField
          id="phone"
          label={words.value.phone.label}
          hint={t.hint}
          error={wrongOf(all, 'phone')}
          type="tel"
          autoComplete="tel-national"
          isShort
          value={phone}
          onInput={onPhone}
        />
        <div class="actions">
          <Button type="submit" isBusy={work.isBusy}>
            {words.value.phone.send}
          </Button>
        </div>
      </form>
    </Page>
  );
}

/** The code is in this component's memory only, and so is the number. */
function EnterCode({
  asked,
  work,
  onAsk,
  onEnter,
  onChange,
}: {
  asked: Asked;
  work: Work;
  onAsk: (phone: string) => void;
  onEnter: (asked: Asked, code: string, identityNumber: string) => Promise<void>;
  onChange: () => void;
}) {
  const t = words.value.resumption;
  const [code, setCode] = useState('');
  const [number, setNumber] = useState('');
  const [errors, setErrors] = useState<Wrong[]>([]);
  const enter = () => {
    const found: Wrong[] = [];
    if (!/^[0-9]{6}$/.test(code)) {
      found.push({ id: 'code', say: () => words.value.code.form });
    }
    const says = readNumber(number);
    if (number !== '' && typeof says === 'string') {
      found.push({ id: 'identity_number', say: () => words.value.rules[says] ?? says });
    }
    setErrors(found);
    if (found.length === 0) {
      void onEnter(asked, code, number).then(() => setCode(''));
    }
  };
  // After the fifth wrong one, or one too late, only another code helps.
  const isOver =
    isCode(work.fault, 'code-none') ||
    (work.fault instanceof Refused &&
      work.fault.problem.code === 'code-wrong' &&
      work.fault.problem.tries_left === 0);
  return (
    <Page title={words.value.code.title(asked.destination)} back={onChange}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          enter();
        }}
      >
        <ErrorSummary errors={errors} />
        {isOver ? <Alert>{t.over}</Alert> : <FaultAlert fault={work.fault} />}
        <p class="soft">{t.onlyIf}</p>
        {!isOver && (
          <>
            <CodeField
              label={words.value.code.label}
              value={code}
              error={wrongOf(errors, 'code')}
              onInput={setCode}
            />
            <TextField
              id="identity_number"
              label={words.value.owner.identity_number}
              hint={t.numberHint}
              error={wrongOf(errors, 'identity_number')}
              inputMode="numeric"
              maxLength={12}
              isShort
              value={number}
              onInput={(typed) => setNumber(typed.replace(/\D/g, ''))}
            />
            <Notice kind="warning">{words.value.code.never}</Notice>
          </>
        )}
        <div class="actions">
          {!isOver && (
            <Button type="submit" isBusy={work.isBusy}>
              {t.enter}
            </Button>
          )}
          <Resend
            at={asked.resend_at}
            text={isOver ? words.value.code.resend : undefined}
            onResend={() => onAsk(asked.phone)}
            isBusy={work.isBusy}
          />
          <Button kind="plain" onClick={onChange}>
            {words.value.code.change}
          </Button>
        </div>
      </form>
    </Page>
  );
}
