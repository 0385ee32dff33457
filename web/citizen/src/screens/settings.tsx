/** S24, S26, S29, S30: settings; unlocking and revoking, which need a person; checking a file. */

import { useEffect, useState } from 'preact/hooks';
import * as citizen from '../api/citizen';
import type { Credential } from '../api/types';
import { type Bytes, sha256, toHex } from '../device/bytes';
import { day, type Language, language, words } from '../messages';
import { deviceKey, isBound, withSession } from '../state/session';
import { bigText, setBigText, setLanguage } from '../state/settings';
import { Icon } from '../ui/icons';
import { InstallOffer } from '../ui/install';
import { CallHelp, Page } from '../ui/page';
import { Button, ButtonLink, Choices, Facts, FileButton, Notice } from '../ui/parts';
import { FaultAlert, useWork } from '../ui/work';

/** S29, as far as a phone can without the server: the digest of a file, computed here. */
export function VerifyScreen() {
  const t = words.value.verify;
  const [found, setFound] = useState<{ name: string; digest: string } | undefined>(undefined);
  const work = useWork();
  const choose = (file: File | undefined) =>
    work.run(async () => {
      if (file !== undefined) {
        const bytes = new Uint8Array(await new Response(file).arrayBuffer()) as Bytes;
        setFound({ name: file.name, digest: toHex(await sha256(bytes)) });
      }
    });
  return (
    <Page title={t.title} back={isBound.value ? '/home' : '/'}>
      <p>{t.text}</p>
      <p>{t.digestText}</p>
      <FaultAlert fault={work.fault} />
      {found !== undefined && (
        <section class="panel" role="status">
          <h2 class="file-name">{found.name}</h2>
          <Facts of={[[t.digest, <span class="mono">{found.digest}</span>]]} />
        </section>
      )}
      <FileButton label={t.choose} accept="application/pdf,.pdf" kind="primary" onFile={choose} />
    </Page>
  );
}

/** S30. */
export function SettingsScreen() {
  const t = words.value.settings;
  const kind = isBound.value ? deviceKey.value?.wire.kind : undefined;
  const device =
    kind === 'webauthn' ? t.devicePasskey : kind === 'webcrypto' ? t.deviceBrowser : t.deviceNone;
  return (
    <Page title={t.title} back={isBound.value ? '/home' : '/'}>
      <Choices<'normal' | 'big'>
        id="size"
        legend={t.size}
        value={bigText.value ? 'big' : 'normal'}
        onInput={(size) => setBigText(size === 'big')}
        options={[
          { value: 'normal', text: t.sizeNormal },
          { value: 'big', text: t.sizeBig },
        ]}
      />
      <Choices<Language>
        id="language"
        legend={t.language}
        value={language.value}
        onInput={(chosen) => void setLanguage(chosen)}
        options={[
          { value: 'vi', text: 'Tiếng Việt' },
          { value: 'en', text: 'English' },
        ]}
      />
      <InstallOffer />
      <h2>{t.device}</h2>
      <p>{device}</p>
      {isBound.value && (
        <>
          <div class="actions">
            <ButtonLink href="/change-pin" kind="second" icon="pen">
              {t.changePin}
            </ButtonLink>
            <ButtonLink href="/change-device" kind="second" icon="phone">
              {t.changeDevice}
            </ButtonLink>
          </div>
          <Certificate />
          <h2>{t.stop}</h2>
          <div class="actions">
            <ButtonLink href="/lock" kind="danger" icon="lock">
              {words.value.homeScreen.lock}
            </ButtonLink>
            <ButtonLink href="/unlock" kind="second">
              {words.value.unlock.title}
            </ButtonLink>
          </div>
        </>
      )}
      <p class="soft small">
        {t.version} <span class="mono">{version()}</span>
      </p>
    </Page>
  );
}

/** What the build called its script: another text whenever anything in it is another. */
function version(): string {
  const script = document.querySelector('script[src]')?.getAttribute('src') ?? '';
  return /-([\w-]{8})\.js$/.exec(script)?.[1] ?? 'dev';
}

/** The certificate as others see it, and the file itself. */
function Certificate() {
  const t = words.value.settings;
  const [own, setOwn] = useState<Credential | undefined>(undefined);
  const [url, setUrl] = useState<string | undefined>(undefined);
  const work = useWork();
  const load = () => work.run(async () => setOwn(await withSession(citizen.credential)));
  useEffect(() => void load(), []);
  useEffect(() => {
    const text = own?.certificate ?? '';
    if (text === '') {
      return;
    }
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const made = URL.createObjectURL(new Blob([bytes], { type: 'application/pkix-cert' }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [own]);
  return (
    <>
      <h2>{t.certificate}</h2>
      <FaultAlert fault={work.fault} />
      {work.fault !== undefined && (
        <Button kind="second" onClick={load}>
          {words.value.retry}
        </Button>
      )}
      <section class="panel">
        <Facts
          of={[
            [
              t.state,
              own === undefined ? '…' : words.value.homeScreen[own.pin_locked ? 'pinLocked' : own.state],
            ],
            [t.validity, own === undefined ? '…' : t.fromTo(dayOf(own.not_before), dayOf(own.not_after))],
            [t.serial, <span class="mono">{own?.serial ?? '…'}</span>],
          ]}
        />
        {url !== undefined && (
          <a class="button second" href={url} download="chung-thu-so.cer">
            <Icon name="down" />
            <span>{t.saveCertificate}</span>
          </a>
        )}
      </section>
    </>
  );
}

function dayOf(ms: number | null | undefined): string {
  return ms === undefined || ms === null ? '…' : day(ms);
}

/** S26, the other half: what was locked in one tap is opened again, or ended for good, by people who see the card. */
export function UnlockScreen() {
  const t = words.value.unlock;
  return (
    <Page title={t.title} back={isBound.value ? '/home' : '/'}>
      <h2>{t.unlockTitle}</h2>
      <p>{t.unlockText}</p>
      <h2>{t.revokeTitle}</h2>
      <p>{t.revokeWhen}</p>
      <ul class="bullets">
        {t.reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
      </ul>
      <Notice kind="warning">{t.forGood}</Notice>
      <p>{t.lockFirst}</p>
      <div class="actions">
        <CallHelp />
        {isBound.value && (
          <ButtonLink href="/lock" kind="danger" icon="lock">
            {words.value.homeScreen.lock}
          </ButtonLink>
        )}
      </div>
    </Page>
  );
}

/** S24, until two phones can pass it between them. */
export function ChangeDevice() {
  const t = words.value.change;
  return (
    <Page title={t.deviceTitle} back={isBound.value ? '/settings' : '/mine'}>
      <p>{t.deviceText}</p>
      <ButtonLink href="/">{words.value.home}</ButtonLink>
    </Page>
  );
}
