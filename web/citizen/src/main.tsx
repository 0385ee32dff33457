import './polyfill';
import './style.css';
import { render } from 'preact';
import { App } from './app';
import { startRouter } from './router';
import { TooOld } from './screens/landing';
import { loadEnrolment } from './state/enrolment';
import { watchInstall } from './state/install';
import { loadSession } from './state/session';
import { loadSettings } from './state/settings';
import { loadSupport } from './state/support';

/** Without these no key can be made: better said now than after ten minutes of typing. */
function canWork(): boolean {
  return typeof crypto !== 'undefined' && crypto.subtle !== undefined && typeof fetch === 'function';
}

async function start(): Promise<void> {
  const root = document.getElementById('app');
  if (root === null) {
    return;
  }
  await Promise.all([loadSettings(), loadSupport(), loadEnrolment(), loadSession()]);
  startRouter();
  render(canWork() ? <App /> : <TooOld />, root);
}

watchInstall();
void start();
if ('serviceWorker' in navigator) {
  // Without it (private browsing) the application works online.
  navigator.serviceWorker.register('/sw.js').catch(() => undefined);
}
