/** S20 and S26: home, the lock. */

import { useState } from 'preact/hooks';
import * as citizen from '../api/citizen';
import { now, Refused } from '../api/client';
import type { Credential, SignatureRequest } from '../api/types';
import { PasskeyDeclined } from '../device/key';
import { clock, day, words } from '../messages';
import { go } from '../router';
import { isBound, markUnbound, withSession } from '../state/session';
import { Guilloche } from '../ui/guilloche';
import { Icon, type IconName } from '../ui/icons';
import { CallHelp, Page } from '../ui/page';
import { Busy, Button, ButtonLink, Notice } from '../ui/parts';
import { FaultAlert, useLook, useWork } from '../ui/work';

/** While the list is looked at. */
const LIST_MS = 5_000;
const WAITING = ['pending', 'approved'];
const WAITING_MOST = 100;
const DAY_MS = 86_400_000;

/** S20. */
export function HomeScreen() {
  const t = words.value.homeScreen;
  const [credential, setCredential] = useState<Credential | undefined>(undefined);
  const [requests, setRequests] = useState<SignatureRequest[] | undefined>(undefined);
  const [fault, setFault] = useState<unknown>(undefined);
  useLook(
    async () => {
      try {
        const [own, list] = await withSession(() =>
          Promise.all([citizen.credential(), citizen.requests(WAITING, WAITING_MOST)]),
        );
        setCredential(own);
        setRequests(list);
        setFault(undefined);
      } catch (cause) {
        if (cause instanceof Refused && cause.problem.code === 'device-unknown') {
          await markUnbound();
          go('/unbound', true);
          return;
        }
        setFault(cause);
      }
    },
    LIST_MS,
    !(fault instanceof PasskeyDeclined),
  );
  const waiting = requests?.filter(({ state }) => state === 'pending' || state === 'approved') ?? [];
  return (
    <Page title={t.title}>
      <FaultAlert fault={fault} />
      {fault instanceof PasskeyDeclined && (
        // Asked again only when the person wants it, not every few seconds.
        <Button onClick={() => setFault(undefined)}>{words.value.retry}</Button>
      )}
      {credential === undefined && fault === undefined && <Busy text={words.value.busy} />}
      {credential !== undefined && <CredentialCard credential={credential} />}
      {(credential?.state === 'suspended' || credential?.pin_locked) && (
        <>
          <Notice kind="warning">{credential.pin_locked ? t.pinLockedText : t.resume}</Notice>
          <ButtonLink href="/unlock" kind="second">
            {words.value.unlock.title}
          </ButtonLink>
        </>
      )}
      <h2>{t.waiting}</h2>
      {requests !== undefined && waiting.length === 0 && <p class="empty">{t.empty}</p>}
      {waiting.length > 0 && (
        <ul class="rows">
          {waiting.map((request) => (
            <li key={request.id}>
              <a href={`/requests/${request.id}`}>
                <span>
                  <b>{request.kind === 'acceptance' ? words.value.acceptance.asks : request.portal_name}</b>
                  {request.description !== undefined && <span class="row-text">{request.description}</span>}
                  <span class="soft">
                    {t.documents(request.documents.length)} ·{' '}
                    {t.minutesLeft(Math.max(0, Math.floor((request.expires_at - now()) / 60_000)))}
                  </span>
                </span>
                <Icon name="forward" />
              </a>
            </li>
          ))}
        </ul>
      )}
      {(credential === undefined || credential.state === 'active') && (
        <div class="actions">
          <ButtonLink href="/scan" icon="qr">
            {t.scan}
          </ButtonLink>
        </div>
      )}
      <nav class="tiles" aria-label={t.title}>
        <Tile href="/history" icon="history" text={t.history} />
        <Tile href="/verify" icon="shield" text={t.verify} />
        <Tile href="/settings" icon="settings" text={t.settings} />
      </nav>
      {credential?.state === 'active' && (
        <ButtonLink href="/lock" kind="danger" icon="lock">
          {t.lock}
        </ButtonLink>
      )}
    </Page>
  );
}

function Tile({ href, icon, text }: { href: string; icon: IconName; text: string }) {
  return (
    <a class="tile" href={href}>
      <Icon name={icon} size={28} />
      <span>{text}</span>
    </a>
  );
}

function CredentialCard({ credential }: { credential: Credential }) {
  const t = words.value.homeScreen;
  const { state, pin_locked, not_after, units_left } = credential;
  const isGood = state === 'active' && !pin_locked;
  const until = not_after ?? undefined;
  const units = units_left ?? undefined;
  return (
    <section class={isGood ? 'credential' : 'credential off'}>
      <Guilloche />
      <p class="credential-state">
        <Icon name={isGood ? 'check' : 'lock'} size={22} />
        <span>{pin_locked ? t.pinLocked : t[state]}</span>
      </p>
      {until !== undefined && <p>{t.until(day(until))}</p>}
      {isGood && until !== undefined && (
        <p>
          {t.daysLeft(Math.max(0, Math.ceil((until - now()) / DAY_MS)))} ·{' '}
          {units === undefined ? t.unlimited : units === 0 ? t.noUnits : t.unitsLeft(units)}
        </p>
      )}
    </section>
  );
}

/** The browser has a key, the server does not know it: another phone was bound, or the credential is gone. */
export function UnboundScreen() {
  const t = words.value.homeScreen;
  return (
    <Page title={t.unknownDevice}>
      <p>{t.unknownDeviceText}</p>
      <ButtonLink href="/">{t.startOver}</ButtonLink>
    </Page>
  );
}

/** S26: no PIN is asked. */
export function LockScreen() {
  const t = words.value.lock;
  const [lockedAt, setLockedAt] = useState<number | undefined>(undefined);
  const work = useWork();
  if (!isBound.value) {
    return (
      <Page title={words.value.homeScreen.lock}>
        <p>{t.noKey}</p>
        <div class="actions">
          <CallHelp />
          <ButtonLink href="/" kind="second">
            {words.value.home}
          </ButtonLink>
        </div>
      </Page>
    );
  }
  if (lockedAt !== undefined) {
    return (
      <Page title={t.done}>
        <Notice kind="good" icon="lock">
          {t.doneText(clock(lockedAt))}
        </Notice>
        <p>{t.unlockText}</p>
        <div class="actions">
          <ButtonLink href="/home">{words.value.home}</ButtonLink>
          <ButtonLink href="/unlock" kind="second">
            {words.value.unlock.title}
          </ButtonLink>
        </div>
      </Page>
    );
  }
  const lock = () =>
    work.run(async () => {
      await withSession(citizen.suspend);
      setLockedAt(Date.now());
    });
  return (
    <Page title={t.title} back="/home">
      <FaultAlert fault={work.fault} />
      <p>{t.text}</p>
      <p>{t.unlockText}</p>
      <div class="actions">
        <Button kind="danger" icon="lock" onClick={lock} isBusy={work.isBusy}>
          {t.yes}
        </Button>
        <ButtonLink href="/home" kind="second">
          {t.no}
        </ButtonLink>
      </div>
    </Page>
  );
}
