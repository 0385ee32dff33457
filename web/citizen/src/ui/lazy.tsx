/** Screens of a script that is loaded when the first of them is shown; without a network, a way to try again. */

import { signal } from '@preact/signals';
import { type ComponentType, createElement } from 'preact';
import { useEffect } from 'preact/hooks';
import { words } from '../messages';
import { Page } from './page';
import { Alert, Busy, Button } from './parts';

type PropsOf<Screen> = Screen extends (props: infer Props) => unknown ? Props : never;

export interface Lazy<Screens> {
  /** The screen of that name, now or as soon as it is there. */
  show: <Name extends keyof Screens>(
    name: Name,
    props?: PropsOf<Screens[Name]> & { key?: string },
  ) => preact.JSX.Element;
  /** Loads the script before it is needed. */
  prepare: () => void;
}

export function lazy<Screens extends Record<string, ComponentType<never>>>(
  load: () => Promise<Screens>,
): Lazy<Screens> {
  const screens = signal<Screens | 'failed' | undefined>(undefined);
  let isLoading = false;
  const prepare = () => {
    if (isLoading || typeof screens.value === 'object') {
      return;
    }
    isLoading = true;
    screens.value = undefined;
    load()
      .then(
        (found) => {
          screens.value = found;
        },
        () => {
          screens.value = 'failed';
        },
      )
      .then(() => {
        isLoading = false;
      });
  };
  const Waiting = () => {
    const t = words.value;
    useEffect(prepare, []);
    return (
      <Page title={t.brand}>
        {screens.value === 'failed' ? (
          <>
            <Alert>{t.fault.offline}</Alert>
            <Button onClick={prepare}>{t.retry}</Button>
          </>
        ) : (
          <Busy text={t.busy} />
        )}
      </Page>
    );
  };
  return {
    prepare,
    show: (name, props) => {
      const found = screens.value;
      if (typeof found !== 'object') {
        return <Waiting />;
      }
      return createElement(found[name] as ComponentType, props ?? {});
    },
  };
}
