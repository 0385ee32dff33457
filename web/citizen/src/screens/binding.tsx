/** S13, S14, S19: the PIN, the phone's own lock, the certificate that is accepted. */

import { useEffect, useState } from 'preact/hooks';
import { bindPhone } from '../device/act';
import { canMakePasskey, type DeviceKey, makeBrowserKey, makePasskey, PasskeyDeclined } from '../device/key';
import { isWeakPin } from '../device/pin';
import { words } from '../messages';
import { go } from '../router';
import { readDay } from '../rules/date';
import { draft, enrolment, held, nextScreen, refresh, seen } from '../state/enrolment';
import { deviceKey, isBound, markBound } from '../state/session';
import { Page } from '../ui/page';
import { Alert, Busy, Button } from '../ui/parts';
import { PinPad } from '../ui/pin_pad';
import { FaultAlert, useLook, useWork } from '../ui/work';

type Stage =
  | { at: 'passkey' }
  | { at: 'first'; problem?: 'weak' | 'personal' | 'differ' | 'refused' }
  | { at: 'second'; pin: string }
  | { at: 'binding' };

export function PinScreen() {
  const t = words.value.pin;
  const [hasPasskeys, setHasPasskeys] = useState<boolean | undefined>(undefined);
  const [stage, setStage] = useState<Stage>({ at: 'first' });
  const work = useWork();

  useEffect(() => {
    void canMakePasskey().then((can) => {
      setHasPasskeys(can);
      if (can && deviceKey.value === undefined) {
        setStage({ at: 'passkey' });
      }
    });
  }, []);

  const row = enrolment.value;
  const isPending = row?.binding === 'pending' || row?.next[0] === 'wait-device';
  useLook(
    async () => {
      const shown = await refresh();
      if (shown.binding === 'bound') {
        await markBound();
        go('/enrol/acceptance', true);
      } else if (shown.binding !== undefined && shown.binding !== 'pending') {
        setStage({ at: 'first', problem: 'refused' });
      }
    },
    1_000,
    stage.at === 'binding' || isPending,
  );

  const bind = (pin: string) =>
    work.run(async () => {
      setStage({ at: 'binding' });
      try {
        const key: DeviceKey = deviceKey.value ?? (await makeBrowserKey());
        deviceKey.value = key;
        seen(await bindPhone(held(), key, pin));
      } catch (cause) {
        setStage({ at: 'first' });
        throw cause;
      }
    });
  const entered = (pin: string) => {
    work.clear();
    if (stage.at === 'second') {
      if (stage.pin === pin) {
        void bind(pin);
      } else {
        setStage({ at: 'first', problem: 'differ' });
      }
    } else if (isWeakPin(pin)) {
      setStage({ at: 'first', problem: 'weak' });
    } else if (isPersonal(pin)) {
      setStage({ at: 'first', problem: 'personal' });
    } else {
      setStage({ at: 'second', pin });
    }
  };

  if (stage.at === 'binding' || isPending) {
    return (
      <Page title={t.title} step={7}>
        <Busy text={t.binding} />
      </Page>
    );
  }
  if (stage.at === 'passkey' && hasPasskeys) {
    return <PasskeyOffer onDone={() => setStage({ at: 'first' })} />;
  }
  const isSecond = stage.at === 'second';
  const problem = stage.at === 'first' ? stage.problem : undefined;
  return (
    <Page
      title={isSecond ? t.again : t.title}
      step={7}
      back={isSecond ? () => setStage({ at: 'first' }) : undefined}
    >
      <p>{isSecond ? t.againText : t.text}</p>
      {problem !== undefined && <Alert>{t[problem]}</Alert>}
      <FaultAlert fault={work.fault} />
      <PinPad key={stage.at} onDone={entered} isBusy={work.isBusy} />
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
