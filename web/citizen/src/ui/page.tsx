/** What every screen has: the header with help at the same place, the title that takes the focus, the step, the language. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { language, words } from '../messages';
import { bigText, setBigText, setLanguage } from '../state/settings';
import { support } from '../state/support';
import { Guilloche } from './guilloche';
import { Icon } from './icons';
import { Listen } from './listen';

export interface PageProps {
  title: string;
  /** Where this screen is in the enrolment, from 1. */
  step?: number;
  /** Where "back" leads. */
  back?: string | (() => void);
  /** A large title on coloured ground: the first screen of a way. */
  isCover?: boolean;
  /** Before the title, such as a state's picture. */
  lead?: ComponentChildren;
  children?: ComponentChildren;
}

const STEPS = 7;

export function Page({ title, step, back, isCover, lead, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const t = words.value;
  useEffect(() => {
    document.title = `${title} – ${t.brand}`;
    heading.current?.focus({ preventScroll: true });
  }, [title, t]);
  return (
    <div class="page">
      <a class="skip" href="#content">
        {t.skip}
      </a>
      <Header />
      <main id="content" tabIndex={-1}>
        <div class={isCover ? 'title cover' : 'title'}>
          {isCover && <Guilloche />}
          <div class="column">
            {back !== undefined && <Back to={back} />}
            {lead}
            <h1 tabIndex={-1} ref={heading}>
              {title}
            </h1>
          </div>
        </div>
        <div class="column body">
          {step !== undefined && <Progress at={step} />}
          {children}
        </div>
      </main>
      <Footer />
    </div>
  );
}

function Header() {
  const t = words.value;
  return (
    <header>
      <div class="column bar">
        <a class="brand" href="/">
          <Mark />
          <span>{t.brand}</span>
        </a>
        <button
          type="button"
          class="quiet"
          aria-pressed={bigText.value}
          onClick={() => setBigText(!bigText.value)}
        >
          <span aria-hidden="true" class="letters">
            A<b>A</b>
          </span>
          <span class="word">{t.bigText}</span>
        </button>
        {support.value !== '' && (
          <a class="quiet" href={`tel:${support.value.replace(/[^0-9+]/g, '')}`}>
            <Icon name="call" size={20} />
            <span>{t.help}</span>
          </a>
        )}
      </div>
    </header>
  );
}

/** The mark: a stroke of the pen inside a seal. */
function Mark() {
  return (
    <svg width="30" height="30" viewBox="0 0 30 30" aria-hidden="true" focusable="false" class="mark">
      <rect x="1.5" y="1.5" width="27" height="27" rx="7" />
      <path d="M7 19.5c3-7 5-10 6.5-9.5 2 .7-2.5 9-.5 9.5 1.8.4 3-4.5 4.8-4.2 1.3.2.2 3.2 1.7 3.4 1 .1 2-.7 3-1.7" />
    </svg>
  );
}

/** The number of whoever helps, as a button; without one, where to find it. */
export function CallHelp({ kind = 'primary' }: { kind?: 'primary' | 'second' }) {
  const t = words.value;
  return support.value === '' ? (
    <p>{t.noHotline}</p>
  ) : (
    <a class={`button ${kind}`} href={`tel:${support.value.replace(/[^0-9+]/g, '')}`}>
      <Icon name="call" />
      <span>
        {t.help} {support.value}
      </span>
    </a>
  );
}

function Footer() {
  const t = words.value;
  const other = language.value === 'vi' ? 'en' : 'vi';
  return (
    <footer>
      <div class="column foot">
        <Listen />
        <button type="button" class="quiet" lang={other} onClick={() => setLanguage(other)}>
          {t.otherLanguage}
        </button>
      </div>
    </footer>
  );
}

function Back({ to }: { to: string | (() => void) }) {
  const t = words.value;
  const inside = (
    <>
      <Icon name="back" size={20} />
      <span>{t.back}</span>
    </>
  );
  return typeof to === 'string' ? (
    <a class="back" href={to}>
      {inside}
    </a>
  ) : (
    <button type="button" class="back" onClick={to}>
      {inside}
    </button>
  );
}

function Progress({ at }: { at: number }) {
  const t = words.value;
  return (
    <p class="progress">
      <span class="dots" aria-hidden="true">
        {Array.from({ length: STEPS }, (_, index) => (
          <i key={index} class={index < at ? 'full' : ''} />
        ))}
      </span>
      <span>
        {t.step(at, STEPS)} · {t.saved}
      </span>
    </p>
  );
}
