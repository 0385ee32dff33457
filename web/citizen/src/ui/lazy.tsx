/** Screens of a script that is loaded when the first of them is shown; without a network, a way to try again. */

import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { words } from '../messages';
import { Page } from './page';
import { Alert, Busy, Button } from './parts';

export interface Lazy<Screens> {
  /** The screen of that name, now or as soon as it is there. */
  show: (name: keyof Screens) => preact.JSX.Element;
  /** Loads the script before it is needed. */
  prepare: () => void;
}

export function lazy<Screens extends Record<string, ComponentType>>(
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
    show: (name) => {
      const found = screens.value;
      if (typeof found !== 'object') {
        return <Waiting />;
      }
      const Screen = found[name] as ComponentType;
      return <Screen />;
    },
  };
}
