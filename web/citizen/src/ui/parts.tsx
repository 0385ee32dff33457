/** The parts screens are put together from. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { words } from '../messages';
import { Icon, type IconName } from './icons';

export function Button({
  children,
  onClick,
  kind = 'primary',
  type = 'button',
  isBusy = false,
  isOff = false,
  icon,
}: {
  children: ComponentChildren;
  onClick?: () => void;
  kind?: 'primary' | 'second' | 'plain' | 'danger';
  type?: 'button' | 'submit';
  isBusy?: boolean;
  /** Not yet: shown, but does nothing. */
  isOff?: boolean;
  icon?: IconName;
}) {
  return (
    <button
      type={type}
      class={`button ${kind}`}
      aria-disabled={isBusy || isOff}
      onClick={isBusy || isOff ? undefined : onClick}
    >
      {icon && <Icon name={icon} />}
      <span>{isBusy ? words.value.busy : children}</span>
    </button>
  );
}

/** A link that looks like a button: it leads elsewhere and does nothing else. */
export function ButtonLink({
  children,
  href,
  kind = 'primary',
  icon,
}: {
  children: ComponentChildren;
  href: string;
  kind?: 'primary' | 'second' | 'plain' | 'danger';
  icon?: IconName;
}) {
  return (
    <a class={`button ${kind}`} href={href}>
      {icon && <Icon name={icon} />}
      <span>{children}</span>
    </a>
  );
}

/** A file input that looks like a button and is still an input for keyboards and screen readers. */
export function FileButton({
  label,
  capture,
  onFile,
  accept = 'image/*',
  kind = 'second',
}: {
  label: string;
  capture?: 'environment' | 'user';
  onFile: (file: File | undefined) => void;
  accept?: string;
  kind?: 'primary' | 'second';
}) {
  return (
    <label class={`button ${kind} file`}>
      <input
        type="file"
        accept={accept}
        capture={capture}
        onChange={(event) => {
          onFile(event.currentTarget.files?.[0]);
          event.currentTarget.value = '';
        }}
      />
      <span>{label}</span>
    </label>
  );
}

export function Notice({
  children,
  kind = 'info',
  icon,
}: {
  children: ComponentChildren;
  kind?: 'info' | 'warning' | 'danger' | 'good';
  icon?: IconName;
}) {
  const pictures: Record<string, IconName> = {
    info: 'shield',
    warning: 'warning',
    danger: 'warning',
    good: 'check',
  };
  return (
    <div class={`notice ${kind}`}>
      <Icon name={icon ?? pictures[kind] ?? 'shield'} />
      <div>{children}</div>
    </div>
  );
}

/** Something that happened and that a screen reader must say at once. */
export function Alert({ children }: { children: ComponentChildren }) {
  return (
    <div role="alert" class="notice danger">
      <Icon name="warning" />
      <div>
        <span class="hidden">{words.value.errorWord} </span>
        {children}
      </div>
    </div>
  );
}

export function Busy({ text }: { text: string }) {
  return (
    <p class="busy" role="status">
      <span class="spinner" aria-hidden="true" />
      <span>{text}</span>
    </p>
  );
}

/** Name and value, one below the other: long names never squeeze. */
export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export interface FieldProps {
  id: string;
  label: string;
  hint?: string;
  error?: string;
}

function described({ id, hint, error }: FieldProps): string | undefined {
  const ids = [hint === undefined ? '' : `${id}-hint`, error === undefined ? '' : `${id}-error`];
  return ids.filter((part) => part !== '').join(' ') || undefined;
}

function Around({ id, label, hint, error, children }: FieldProps & { children: ComponentChildren }) {
  return (
    <div class={error === undefined ? 'field' : 'field wrong'}>
      <label for={id}>{label}</label>
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error !== undefined && (
        <p class="error" id={`${id}-error`}>
          <span class="hidden">{words.value.errorWord} </span>
          {error}
        </p>
      )}
      {children}
    </div>
  );
}

export function TextField(
  props: FieldProps & {
    value: string;
    onInput: (value: string) => void;
    type?: 'text' | 'tel' | 'email';
    inputMode?: 'numeric' | 'text';
    autoComplete?: string;
    maxLength?: number;
    isShort?: boolean;
  },
) {
  return (
    <Around {...props}>
      <input
        id={props.id}
        class={props.isShort ? 'short' : undefined}
        type={(props.type ?? 'text') as 'text'}
        inputMode={props.inputMode}
        autoComplete={props.autoComplete ?? 'off'}
        maxLength={props.maxLength}
        spellcheck={false}
        value={props.value}
        aria-invalid={props.error !== undefined}
        aria-describedby={described(props)}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
    </Around>
  );
}

export function SelectField(
  props: FieldProps & {
    value: string;
    onInput: (value: string) => void;
    options: readonly { value: string; text: string }[];
  },
) {
  return (
    <Around {...props}>
      <select
        id={props.id}
        value={props.value}
        aria-invalid={props.error !== undefined}
        aria-describedby={described(props)}
        onChange={(event) => props.onInput(event.currentTarget.value)}
      >
        <option value="">{words.value.owner.choose}</option>
        {props.options.map(({ value, text }) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </Around>
  );
}

export function Choices<T extends string>({
  id,
  legend,
  value,
  onInput,
  options,
  error,
  isLegendHidden = false,
  isRow = false,
}: {
  id: string;
  legend: string;
  value: T | '';
  onInput: (value: T) => void;
  options: readonly { value: T; text: string; more?: ComponentChildren }[];
  error?: string;
  isLegendHidden?: boolean;
  /** Short words beside each other, to narrow a list by. */
  isRow?: boolean;
}) {
  return (
    <fieldset
      class={`field${error === undefined ? '' : ' wrong'}${isRow ? ' choice-row' : ''}`}
      aria-describedby={error && `${id}-error`}
    >
      <legend class={isLegendHidden ? 'hidden' : undefined}>{legend}</legend>
      {error !== undefined && (
        <p class="error" id={`${id}-error`}>
          <span class="hidden">{words.value.errorWord} </span>
          {error}
        </p>
      )}
      {options.map((option, at) => (
        <label key={option.value} class={option.value === value ? 'choice chosen' : 'choice'}>
          <input
            type="radio"
            id={at === 0 ? id : undefined}
            name={id}
            value={option.value}
            checked={option.value === value}
            onChange={() => onInput(option.value)}
          />
          <span>
            <b>{option.text}</b>
            {option.more}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export function Tick({
  id,
  children,
  isOn,
  onInput,
  error,
}: {
  id: string;
  children: ComponentChildren;
  isOn: boolean;
  onInput: (isOn: boolean) => void;
  error?: string;
}) {
  return (
    <div class={error === undefined ? 'field' : 'field wrong'}>
      {error !== undefined && (
        <p class="error" id={`${id}-error`} role="alert">
          <span class="hidden">{words.value.errorWord} </span>
          {error}
        </p>
      )}
      <label class={isOn ? 'choice chosen' : 'choice'}>
        <input
          type="checkbox"
          id={id}
          checked={isOn}
          aria-invalid={error !== undefined}
          aria-describedby={error === undefined ? undefined : `${id}-error`}
          onChange={(event) => onInput(event.currentTarget.checked)}
        />
        <span>{children}</span>
      </label>
    </div>
  );
}

/** A field that has to be corrected, and why, in the language in use when it is said. */
export interface Wrong {
  id: string;
  say: () => string;
}

export function wrongOf(wrongs: readonly Wrong[], id: string): string | undefined {
  return wrongs.find((wrong) => wrong.id === id)?.say();
}

/** All that has to be corrected, at the top, each a link to its field. Takes the focus when it appears or changes. */
export function ErrorSummary({
  errors,
  name,
}: {
  errors: readonly Wrong[];
  /** What a field is called, where there are many. */
  name?: (id: string) => string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const lines = errors.map(({ id, say }) => ({
    id,
    text: name === undefined ? say() : `${name(id)}: ${say()}`,
  }));
  const all = errors.map(({ id }) => id).join();
  useEffect(() => {
    if (all !== '') {
      box.current?.focus();
    }
  }, [all]);
  if (errors.length === 0) {
    return null;
  }
  return (
    <div class="notice danger" tabIndex={-1} ref={box}>
      <Icon name="warning" />
      <div>
        <h2>{words.value.errorsTitle}</h2>
        <ul class="plain-list">
          {lines.map(({ id, text }) => (
            <li key={id + text}>
              <a
                href={`#${id}`}
                onClick={(event) => {
                  event.preventDefault();
                  document.getElementById(id)?.focus();
                }}
              >
                {text}
              </a>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
