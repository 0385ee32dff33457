/** S4 and S5: the phone number and the code that proves it, before anything else is typed. */

import { useState } from 'preact/hooks';
import * as api from '../api/enrolment';
import { language, words } from '../messages';
import { go } from '../router';
import { emailFault, phoneFault, tidyPhone } from '../rules/contact';
import {
  beginOnce,
  change,
  draft,
  enrolment,
  held,
  nextScreen,
  refresh,
  seen,
  ticket,
} from '../state/enrolment';
import { CodeField, Resend } from '../ui/code';
import { Page } from '../ui/page';
import { Button, ButtonLink, ErrorSummary, Notice, TextField, type Wrong, wrongOf } from '../ui/parts';
import { FaultAlert, isCode, useWork } from '../ui/work';

/** S4. */
export function PhoneScreen() {
  const t = words.value.phone;
  const { phone, email } = draft.value;
  const [errors, setErrors] = useState<Wrong[]>([]);
  const [byEmail, setByEmail] = useState(email !== '');
  const work = useWork();
  const send = () => {
    const tidy = tidyPhone(phone);
    const faults = [
      { id: 'phone', code: phoneFault(tidy) },
      { id: 'email', code: byEmail ? (email.trim() === '' ? 'required' : emailFault(email)) : undefined },
    ];
    const found = faults.filter(({ code }) => code !== undefined);
    setErrors(found.map(({ id, code }) => ({ id, say: () => words.value.rules[code ?? ''] ?? '' })));
    if (found.length > 0) {
      return;
    }
    change({ phone: tidy });
    void work.run(async () => {
      await beginOnce(language.value);
      seen(await api.putContact(held(), tidy, byEmail ? email.trim() : ''));
      await api.sendCode(held(), byEmail ? 'email' : 'sms');
      await refresh();
      go('/enrol/code');
    });
  };
  const error = (id: string) => wrongOf(errors, id);
  return (
    <Page title={t.title} step={1} back={ticket.value === undefined ? '/enrol/plan' : undefined}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <ErrorSummary errors={errors} />
        <FaultAlert fault={work.fault} />
        {isCode(work.fault, 'campaign-closed', 'campaign-full', 'payment-unavailable') && (
          <ButtonLink href="/enrol/plan" kind="second">
            {words.value.payment.otherPlan}
          </ButtonLink>
        )}
        <TextField
          id="phone"
          label={t.label}
          hint={t.hint}
          error={error('phone')}
          type="tel"
          autoComplete="tel-national"
          isShort
          value={phone}
          onInput={(typed) => change({ phone: typed })}
        />
        {byEmail && (
          <TextField
            id="email"
            label={t.emailLabel}
            error={error('email')}
            type="email"
            autoComplete="email"
            value={email}
            onInput={(typed) => change({ email: typed })}
          />
        )}
        <div class="actions">
          <Button type="submit" isBusy={work.isBusy}>
            {t.send}
          </Button>
          <Button kind="plain" onClick={() => setByEmail(!byEmail)}>
            {byEmail ? t.bySms : t.email}
          </Button>
        </div>
      </form>
    </Page>
  );
}

/** S5. The code is in this component's memory only. */
export function CodeScreen() {
  const t = words.value.code;
  const [code, setCode] = useState('');
  const [errors, setErrors] = useState<Wrong[]>([]);
  const [isSent, setSent] = useState(false);
  const work = useWork();
  const sent = enrolment.value?.code;
  const confirm = () => {
    if (!/^[0-9]{6}$/.test(code)) {
      setErrors([{ id: 'code', say: () => words.value.code.form }]);
      return;
    }
    setErrors([]);
    void work.run(async () => {
      try {
        go(nextScreen(seen(await api.activate(held(), code))), true);
      } finally {
        setCode('');
      }
    });
  };
  const resend = () =>
    work.run(async () => {
      await api.sendCode(held(), sent?.channel ?? (draft.value.email === '' ? 'sms' : 'email'));
      await refresh();
      setSent(true);
    });
  return (
    <Page title={t.title(sent?.destination ?? draft.value.phone)} step={1} back="/enrol/phone">
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          confirm();
        }}
      >
        <ErrorSummary errors={errors} />
        <FaultAlert fault={work.fault} />
        {isSent && work.fault === undefined && <p role="status">{t.sent}</p>}
        <CodeField label={t.label} value={code} error={wrongOf(errors, 'code')} onInput={setCode} />
        <Notice kind="warning">{t.never}</Notice>
        <div class="actions">
          <Button type="submit" isBusy={work.isBusy}>
            {t.confirm}
          </Button>
          <Resend at={sent?.resend_at ?? 0} onResend={resend} isBusy={work.isBusy} />
          <ButtonLink href="/enrol/phone" kind="plain">
            {t.change}
          </ButtonLink>
        </div>
      </form>
    </Page>
  );
}
