/** S0 to S3: where a person arrives, and the plan they choose. */

import { useEffect, useState } from 'preact/hooks';
import * as api from '../api/enrolment';
import type { Campaign, Plan } from '../api/types';
import { day, language, words } from '../messages';
import { go } from '../router';
import {
  change,
  draft,
  enrolment,
  fits,
  leave,
  nextScreen,
  recover,
  refresh,
  ticket,
} from '../state/enrolment';
import { setSupport } from '../state/support';
import { Icon, type IconName } from '../ui/icons';
import { Page } from '../ui/page';
import { Alert, Busy, Button, ButtonLink, Choices, Notice } from '../ui/parts';
import { FaultAlert, isCode, useWork } from '../ui/work';

/** S1 by the printed QR, `/c/{code}`, or without a campaign. */
export function Landing({ code, onReady }: { code?: string; onReady: () => void }) {
  const t = words.value.landing;
  const [campaign, setCampaign] = useState<Campaign | 'unknown' | undefined>(undefined);
  const work = useWork();
  const load = () =>
    work.run(async () => {
      if (code === undefined) {
        return;
      }
      try {
        const found = await api.campaign(code);
        setCampaign(found);
        setSupport(found.hotline);
      } catch (cause) {
        if (cause instanceof Error && cause.message === 'not-found') {
          setCampaign('unknown');
          return;
        }
        throw cause;
      }
    });
  useEffect(() => {
    // What comes next is fetched while the person reads.
    void load().then(onReady);
  }, [code]);

  const known = typeof campaign === 'object' ? campaign : undefined;
  const isFull = known?.places_left === 0;
  const isOpen = known?.open === true && !isFull;
  const start = () => {
    change({ campaign: isOpen ? known?.code : undefined, plan: known?.plan.code ?? draft.value.plan });
    go('/enrol/plan');
  };
  // The campaign's own name is Vietnamese; in another language the title says what it is about, and the name follows.
  const isTranslated = language.value !== 'vi' && known?.price_vnd === 0;
  const title = known === undefined ? t.general : isTranslated ? t.free(known.plan.months) : known.name;
  return (
    <Page title={title} isCover>
      {known !== undefined && title !== known.name && (
        <p class="lead" lang="vi">
          {known.name}
        </p>
      )}
      <p>{t.purpose}</p>
      {work.isBusy && <Busy text={words.value.busy} />}
      <FaultAlert fault={work.fault} />
      {campaign === 'unknown' && <Notice kind="warning">{t.unknown}</Notice>}
      {known !== undefined && !known.open && <Notice kind="warning">{t.closed}</Notice>}
      {known?.open && isFull && <Notice kind="warning">{t.full}</Notice>}
      <h2>{t.needTitle}</h2>
      <ul class="needs">
        <Need icon="card">{t.needCard}</Need>
        <Need icon="phone">{t.needPhone}</Need>
        <Need icon="clock">{t.needTime}</Need>
      </ul>
      <div class="actions">
        {ticket.value === undefined ? (
          <Button onClick={start}>{t.start}</Button>
        ) : (
          <ButtonLink href="/enrol">{t.resume}</ButtonLink>
        )}
        <ButtonLink href="/mine" kind="second">
          {t.mine}
        </ButtonLink>
        <ButtonLink href="/verify" kind="plain">
          {t.verify}
        </ButtonLink>
      </div>
      {known !== undefined && (
        <section class="panel">
          <h2>{t.helpTitle}</h2>
          <p>{t.helpAt(known.desk_address, known.desk_hours)}</p>
          <p>
            <a href={`tel:${known.hotline.replace(/[^0-9+]/g, '')}`}>
              {t.helpCall(known.desk_helper, known.hotline)}
            </a>
          </p>
          <p class="soft">
            {t.until(day(known.ends_at - 1))}
            {known.places_left !== undefined && ` · ${t.places(known.places_left)}`}
          </p>
        </section>
      )}
    </Page>
  );
}

function Need({ icon, children }: { icon: IconName; children: string }) {
  return (
    <li>
      <span class="need-icon">
        <Icon name={icon} size={30} />
      </span>
      <span>{children}</span>
    </li>
  );
}

/** "I have a signature already" on a phone that is not bound. */
export function Mine() {
  const t = words.value;
  const [isUnderWay, setUnderWay] = useState(false);
  useEffect(() => void recover().then(setUnderWay, () => undefined), []);
  return (
    <Page title={t.landing.mine} back="/">
      <p>{t.landing.mineText}</p>
      {isUnderWay && <ButtonLink href="/enrol">{t.landing.resume}</ButtonLink>}
      <ul class="rows">
        <Way href="/resume" icon="pen" title={t.resumption.mine} text={t.resumption.mineText} />
        <Way href="/change-device" icon="phone" title={t.landing.moved} text={t.landing.movedText} />
        <Way href="/lock" icon="lock" title={t.landing.phoneLost} text={t.landing.phoneLostText} />
      </ul>
    </Page>
  );
}

function Way({ href, icon, title, text }: { href: string; icon: IconName; title: string; text: string }) {
  return (
    <li>
      <a href={href} class="way">
        <Icon name={icon} size={28} />
        <span>
          <b>{title}</b>
          <span class="row-text">{text}</span>
        </span>
      </a>
    </li>
  );
}

/** Goes to where the enrolment under way is; a screen that was open when the page was closed (`at`) opens again if it fits. */
export function Resume({ at }: { at?: string }) {
  const work = useWork();
  const [isLost, setLost] = useState(false);
  const look = () =>
    work.run(async () => {
      if (ticket.value === undefined && !(await recover())) {
        go('/', true);
        return;
      }
      try {
        const row = await refresh();
        if (row.state === 'complete') {
          await leave();
          go('/home', true);
        } else if (at === undefined || !fits(at, row)) {
          go(nextScreen(row), true);
        }
      } catch (cause) {
        if (isCode(cause, 'not-found', 'session-invalid', 'unauthenticated')) {
          setLost(true);
          return;
        }
        throw cause;
      }
    });
  useEffect(() => void look(), []);
  const t = words.value;
  if (isLost) {
    const again = async () => {
      await leave();
      go('/', true);
    };
    return (
      <Page title={t.landing.lost}>
        <p>{t.landing.lostText}</p>
        <div class="actions">
          <ButtonLink href="/resume">{t.resumption.mine}</ButtonLink>
          <Button kind="second" onClick={again}>
            {t.ended.again}
          </Button>
        </div>
      </Page>
    );
  }
  return (
    <Page title={t.landing.resume}>
      {work.isBusy && <Busy text={t.busy} />}
      <FaultAlert fault={work.fault} />
      {work.fault !== undefined && <Button onClick={look}>{t.retry}</Button>}
    </Page>
  );
}

/** S3. */
export function PlanScreen() {
  const t = words.value.plan;
  const [offers, setOffers] = useState<{ value: string; text: string; plan: Plan; price: number }[]>();
  const [chosen, setChosen] = useState('');
  const work = useWork();
  const load = () =>
    work.run(async () => {
      const { campaign: code, plan } = draft.value;
      const [campaign, plans] = await Promise.all([
        code === undefined ? undefined : api.campaign(code),
        api.plans(),
      ]);
      const list = plans
        .filter((offered) => offered.code !== campaign?.plan.code)
        .map((offered) => ({
          value: offered.code,
          text: language.value === 'vi' ? offered.name : offered.name_en,
          plan: offered,
          price: offered.price_vnd,
        }));
      if (campaign?.open) {
        list.unshift({
          value: 'campaign',
          text: campaign.name,
          plan: campaign.plan,
          price: campaign.price_vnd,
        });
      }
      setOffers(list);
      setChosen(
        campaign?.open
          ? 'campaign'
          : (list.find(({ value }) => value === plan)?.value ?? list[0]?.value ?? ''),
      );
    });
  useEffect(() => void load(), []);
  const choose = () => {
    const isCampaign = chosen === 'campaign';
    // A campaign left out here is left for good on this screen's way: the plan says what is meant.
    change({
      campaign: isCampaign ? draft.value.campaign : undefined,
      plan: isCampaign ? undefined : chosen,
    });
    go('/enrol/phone');
  };
  const back = draft.value.campaign === undefined ? '/' : `/c/${draft.value.campaign}`;
  return (
    <Page title={t.title} back={back}>
      {work.isBusy && <Busy text={words.value.busy} />}
      <FaultAlert fault={work.fault} />
      {work.fault !== undefined && <Button onClick={load}>{words.value.retry}</Button>}
      {offers !== undefined && offers.length === 0 && <Alert>{t.none}</Alert>}
      {offers !== undefined && offers.length > 0 && (
        <>
          <Choices
            id="plan"
            legend={t.title}
            isLegendHidden
            value={chosen}
            onInput={setChosen}
            options={offers.map(({ value, text, plan, price }) => ({
              value,
              text,
              more: (
                <span class="plan-more">
                  <strong class="price">{words.value.money(price)}</strong>
                  <span>
                    {t.months(plan.months)} · {plan.units === undefined ? t.unlimited : t.units(plan.units)}
                  </span>
                </span>
              ),
            }))}
          />
          <p class="soft">{t.promise}</p>
          <Button onClick={choose}>{t.choose}</Button>
        </>
      )}
    </Page>
  );
}

const IN_APP: readonly (readonly [RegExp, string])[] = [
  [/Zalo/i, 'Zalo'],
  [/FBAN|FBAV|FB_IAB/i, 'Facebook'],
  [/Instagram/i, 'Instagram'],
  [/\bLine\//i, 'LINE'],
];

/** The application whose built-in browser this is, if it is one that is known to lack the camera or to lose keys. */
export function inAppBrowser(agent: string): string | undefined {
  return IN_APP.find(([sign]) => sign.test(agent))?.[1];
}

/** S0. */
export function Gate({ app, onStay }: { app: string; onStay: () => void }) {
  const t = words.value.gate;
  const [isCopied, setCopied] = useState(false);
  const isAndroid = /Android/i.test(navigator.userAgent);
  const copy = async () => {
    await navigator.clipboard?.writeText(location.href).catch(() => undefined);
    setCopied(true);
  };
  const { host, pathname, protocol } = location;
  return (
    <Page title={t.title}>
      <p>{t.text(app)}</p>
      {!isAndroid && <p>{t.ios}</p>}
      <div class="actions">
        {isAndroid && (
          <a
            class="button primary"
            href={`intent://${host}${pathname}#Intent;scheme=${protocol.slice(0, -1)};package=com.android.chrome;end`}
          >
            <span>{t.chrome}</span>
          </a>
        )}
        <Button kind="second" onClick={copy}>
          {t.copy}
        </Button>
        {isCopied && <p role="status">{t.copied}</p>}
        <Button kind="plain" onClick={onStay}>
          {t.stay}
        </Button>
      </div>
    </Page>
  );
}

/** Something essential is missing: said plainly, with a way on. */
export function TooOld() {
  const t = words.value.old;
  return (
    <Page title={t.title}>
      <p>{t.text}</p>
    </Page>
  );
}

export function Missing() {
  const t = words.value;
  return (
    <Page title={t.fault.notFound}>
      <p>{t.fault.notFoundText}</p>
      <ButtonLink href="/">{t.home}</ButtonLink>
    </Page>
  );
}

/** S18 and the other ends of an enrolment. */
export function Ended() {
  const t = words.value.ended;
  const row = enrolment.value;
  const titles: Record<string, string> = {
    rejected: t.rejected,
    failed: t.failed,
    expired: t.expired,
    abandoned: t.abandoned,
    closed: t.closed,
  };
  const again = async () => {
    await leave();
    go('/');
  };
  const reasons = (row?.reasons ?? []).map((code) => t.codes[code] ?? code);
  return (
    <Page title={titles[row?.state ?? ''] ?? t.failed}>
      {row !== undefined && <p class="soft">{words.value.waiting.reference(row.reference)}</p>}
      {reasons.length > 0 && (
        <section class="panel">
          <h2>{t.reasons}</h2>
          {reasons.map((reason) => (
            <p key={reason}>{reason}</p>
          ))}
        </section>
      )}
      <p>{t.can}</p>
      <Button onClick={again}>{t.again}</Button>
    </Page>
  );
}
