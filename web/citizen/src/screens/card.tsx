/** S6 and S7: the card's QR fills the form, the person compares it with the card; or types everything by hand. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { now, Refused } from '../api/client';
import * as api from '../api/enrolment';
import { type Unit, units } from '../api/units';
import { judgePicture, pictureOf } from '../camera/picture';
import { qrReader, type ReadQr } from '../camera/qr';
import { said, words } from '../messages';
import { go } from '../router';
import { readCard } from '../rules/card';
import { dayInVietnam, printDay, readDay } from '../rules/date';
import { EMPTY, issuerOn, type OwnerForm, ownerFaults } from '../rules/owner';
import { change, changeForm, draft, enrolment, held, nextScreen, ownerOf, seen } from '../state/enrolment';
import { Page } from '../ui/page';
import {
  Alert,
  Button,
  ButtonLink,
  Choices,
  ErrorSummary,
  FileButton,
  Notice,
  SelectField,
  TextField,
  type Wrong,
  wrongOf,
} from '../ui/parts';
import { Viewfinder } from '../ui/viewfinder';
import { FaultAlert, isCode, useWork } from '../ui/work';

/** After so long without a code, other ways are offered loudly. */
const PATIENCE_MS = 20_000;

/** S6. */
export function CardScreen() {
  const t = words.value.scan;
  const [isOpen, setOpen] = useState(false);
  const [hint, setHint] = useState<'looking' | 'closer' | 'dark' | 'glare'>('looking');
  const [problem, setProblem] = useState<'other' | 'tooLong' | 'photoUnread' | undefined>(undefined);
  const reader = useRef<Promise<ReadQr> | undefined>(undefined);
  const began = useRef(0);
  const found = (text: string): boolean => {
    const card = readCard(text);
    if (card === undefined) {
      setProblem('other');
      return false;
    }
    change({ read: card, form: { ...EMPTY, ...draft.value.form, ...card } });
    go('/enrol/details');
    return true;
  };
  const look = async (video: HTMLVideoElement) => {
    reader.current ??= qrReader();
    const text = await (await reader.current)(video);
    if (text !== undefined && text !== '') {
      found(text);
      return;
    }
    const { isDark, hasGlare } = judgePicture(video);
    setHint(isDark ? 'dark' : hasGlare ? 'glare' : Date.now() - began.current > 6_000 ? 'closer' : 'looking');
    if (Date.now() - began.current > PATIENCE_MS) {
      setProblem('tooLong');
    }
  };
  const photo = async (file: File | undefined) => {
    if (file === undefined) {
      return;
    }
    try {
      const text = await (await qrReader())(await pictureOf(file));
      if (text === undefined) {
        setProblem('photoUnread');
      } else {
        found(text);
      }
    } catch {
      setProblem('photoUnread');
    }
  };
  const open = () => {
    began.current = Date.now();
    setProblem(undefined);
    setOpen(true);
  };
  return (
    <Page title={t.title} step={2}>
      {problem !== undefined && <Alert>{t[problem]}</Alert>}
      {isOpen ? (
        <Viewfinder facing="environment" shape="qr" hint={t[hint]} everyMs={250} onLook={look} />
      ) : (
        <>
          <CardPicture />
          <p>{t.text}</p>
        </>
      )}
      <div class="actions">
        {!isOpen && (
          <Button icon="camera" onClick={open}>
            {t.open}
          </Button>
        )}
        <FileButton label={t.photo} capture="environment" onFile={photo} />
        <ButtonLink href="/enrol/details" kind="plain">
          {t.type}
        </ButtonLink>
      </div>
    </Page>
  );
}

/** Where on a card the code is. Nobody's card. */
export function CardPicture() {
  return (
    <svg class="picture" viewBox="0 0 320 200" aria-hidden="true" focusable="false">
      <rect class="p-card" x="10" y="10" width="300" height="180" rx="14" />
      <rect class="p-soft" x="32" y="66" width="72" height="96" rx="6" />
      <circle class="p-mid" cx="68" cy="100" r="17" />
      <path class="p-mid" d="M38 162c2-24 14-34 30-34s28 10 30 34z" />
      <path class="p-lines" d="M32 34h110M122 78h90M122 98h70M122 118h100M122 138h60M122 158h86" />
      <path
        class="p-code"
        d="M238 26h20v20h-20zM274 26h20v20h-20zM238 62h20v20h-20zM243 31h10v10h-10zM279 31h10v10h-10zM243 67h10v10h-10zM264 30v8M264 44h8M266 56h6M274 62h8M288 54v8M264 66v6M270 78h8M286 72v10M278 70h4"
      />
      <rect class="p-aim" x="228" y="16" width="76" height="76" rx="10" />
    </svg>
  );
}

const FIELDS: Record<string, string> = {
  'address.province_code': 'province_code',
  'address.commune_code': 'commune_code',
  'address.detail': 'detail',
  'address.district_code': 'detail',
  identity_kind: 'identity_number',
};

/** S7. */
export function DetailsScreen() {
  const t = words.value.owner;
  const { form, phone, read } = draft.value;
  const [isEditing, setEditing] = useState(read === undefined);
  const [errors, setErrors] = useState<Wrong[]>([]);
  const work = useWork();
  const shown = enrolment.value;

  // A phone that lost its draft still has what the server stored.
  useEffect(() => {
    const owner = shown?.owner;
    if (owner !== undefined && form.identity_number === '') {
      const born = readDay(owner.birth_date);
      const issued = readDay(owner.issue_date);
      changeForm({
        full_name: owner.full_name,
        identity_number: owner.identity_number,
        birth_date: born === undefined ? '' : printDay(born),
        issue_date: issued === undefined ? '' : printDay(issued),
        issue_place: issued === undefined ? '' : issuerOn(issued),
        sex: owner.sex,
        email: owner.email ?? '',
      });
    }
  }, []);

  const report = (found: { field: string; say: () => string }[]) => {
    const list = found.map(({ field, say }) => ({ id: FIELDS[field] ?? field, say }));
    setErrors(list);
    if (list.some(({ id }) => !['email', 'province_code', 'commune_code', 'detail'].includes(id))) {
      setEditing(true);
    }
  };
  const confirm = () => {
    const number = phone === '' ? '0900000000' : phone;
    const faults = ownerFaults(form, number, dayInVietnam(now()));
    report(faults.map(({ field, code }) => ({ field, say: () => words.value.rules[code] ?? code })));
    if (faults.length > 0) {
      return;
    }
    void work.run(async () => {
      try {
        go(nextScreen(seen(await api.putOwner(held(), ownerOf({ ...draft.value, phone: phoneOf(phone) })))));
      } catch (cause) {
        if (cause instanceof Refused && (cause.problem.errors?.length ?? 0) > 0) {
          report(
            (cause.problem.errors ?? []).map((fault) => ({ field: fault.field, say: () => said(fault) })),
          );
        }
        throw cause;
      }
    });
  };
  const typed = <K extends keyof OwnerForm>(name: K) => ({
    id: name,
    label: t[name],
    error: wrongOf(errors, name),
    value: form[name],
    onInput: (value: string) => changeForm({ [name]: value }),
  });
  const issued = (value: string) => {
    const day = readDay(value);
    const isOurs = form.issue_place === '' || form.issue_place === guess(form.issue_date);
    changeForm({ issue_date: value, ...(day !== undefined && isOurs ? { issue_place: issuerOn(day) } : {}) });
  };
  const provinces = useUnits();
  const communes = useUnits(form.province_code);
  const unlisted = provinces.fault ?? communes.fault;
  const isListed = errors.length > 0;
  const labelOf = (id: string) => (id in EMPTY ? t[id as keyof OwnerForm] : words.value.phone.label);
  return (
    <Page title={isEditing ? t.title : t.titleRead} step={2} back="/enrol/card">
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          confirm();
        }}
      >
        <ErrorSummary errors={errors} name={labelOf} />
        {!isListed && <FaultAlert fault={work.fault} />}
        {isCode(work.fault, 'person-taken') && (
          <ButtonLink href="/resume" kind="second">
            {words.value.resumption.mine}
          </ButtonLink>
        )}
        <p>{isEditing ? t.typeText : t.readText}</p>
        {isEditing ? (
          <>
            <TextField {...typed('full_name')} hint={t.full_name_hint} autoComplete="name" />
            <TextField
              {...typed('identity_number')}
              hint={t.identity_number_hint}
              inputMode="numeric"
              maxLength={12}
              isShort
            />
            <TextField
              {...typed('birth_date')}
              hint={t.date_hint}
              inputMode="numeric"
              maxLength={10}
              isShort
            />
            <Choices
              id="sex"
              legend={t.sex}
              value={form.sex}
              error={wrongOf(errors, 'sex')}
              onInput={(sex) => changeForm({ sex })}
              options={[
                { value: 'female', text: t.female },
                { value: 'male', text: t.male },
              ]}
            />
            <TextField
              {...typed('issue_date')}
              onInput={issued}
              hint={t.date_hint}
              inputMode="numeric"
              maxLength={10}
              isShort
            />
            <TextField {...typed('issue_place')} />
          </>
        ) : (
          <section class="panel read">
            <dl class="facts">
              {(
                ['full_name', 'identity_number', 'birth_date', 'sex', 'issue_date', 'issue_place'] as const
              ).map((name) => (
                <div key={name}>
                  <dt>{t[name]}</dt>
                  <dd>{name === 'sex' ? (form.sex === 'male' ? t.male : t.female) : form[name]}</dd>
                </div>
              ))}
            </dl>
            <Button kind="second" icon="pen" onClick={() => setEditing(true)}>
              {words.value.edit}
            </Button>
          </section>
        )}
        <h2>{t.addressTitle}</h2>
        {read !== undefined && <Notice>{t.oldAddress}</Notice>}
        <SelectField
          {...typed('province_code')}
          onInput={(province_code) => changeForm({ province_code, commune_code: '' })}
          options={provinces.list.map(({ code, name }) => ({ value: code, text: name }))}
        />
        <SelectField
          {...typed('commune_code')}
          options={communes.list.map(({ code, name }) => ({ value: code, text: name }))}
        />
        {unlisted !== undefined && (
          <>
            <FaultAlert fault={unlisted} />
            <Button
              kind="second"
              onClick={() => {
                provinces.load();
                communes.load();
              }}
            >
              {words.value.retry}
            </Button>
          </>
        )}
        <TextField {...typed('detail')} hint={t.detail_hint} autoComplete="street-address" />
        <TextField {...typed('email')} hint={t.email_hint} type="email" autoComplete="email" />
        <div class="actions">
          <Button type="submit" isBusy={work.isBusy}>
            {t.confirm}
          </Button>
        </div>
      </form>
    </Page>
  );
}

/** The provinces or, with a province (none yet: empty), its communes, once they came. */
function useUnits(province?: string): { list: Unit[]; fault: unknown; load: () => void } {
  const [list, setList] = useState<Unit[]>([]);
  const [fault, setFault] = useState<unknown>(undefined);
  const wanted = useRef(province);
  wanted.current = province;
  const load = () => {
    setFault(undefined);
    const take = (found: Unit[]) => wanted.current === province && setList(found);
    void (province === '' ? Promise.resolve([]) : units(province)).then(take, setFault);
  };
  useEffect(() => {
    setList([]);
    load();
  }, [province]);
  return { list, fault, load };
}

function guess(date: string): string {
  const day = readDay(date);
  return day === undefined ? '' : issuerOn(day);
}

/** The number as typed on this phone; after a lost draft, as the server stored it. */
function phoneOf(typed: string): string {
  const stored = enrolment.value?.owner?.phone ?? '';
  return typed === '' ? stored.replace(/^\+84/, '0') : typed;
}
