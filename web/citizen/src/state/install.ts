/**
 * Putting the application on the home screen, where the browser offers it (Android). Not on iOS: there an icon has a storage
 * of its own, and the key that this page has made would be missing in it.
 */

import { signal } from '@preact/signals';

interface InstallPrompt extends Event {
  prompt(): Promise<unknown>;
}

export const canInstall = signal(false);

let offered: InstallPrompt | undefined;

export function watchInstall(): void {
  window.addEventListener('beforeinstallprompt', (event) => {
    // Offered when it is of use, not when the browser thinks of it.
    event.preventDefault();
    offered = event as InstallPrompt;
    canInstall.value = true;
  });
  window.addEventListener('appinstalled', () => {
    canInstall.value = false;
  });
}

export async function install(): Promise<void> {
  const prompt = offered;
  offered = undefined;
  canInstall.value = false;
  await prompt?.prompt();
}
