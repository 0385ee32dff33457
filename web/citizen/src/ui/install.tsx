/** S2: offers the home screen where the browser does. */

import { words } from '../messages';
import { canInstall, install } from '../state/install';
import { Button } from './parts';

export function InstallOffer() {
  const t = words.value.install;
  return canInstall.value ? (
    <section class="panel">
      <p>{t.text}</p>
      <Button kind="second" icon="phone" onClick={install}>
        {t.yes}
      </Button>
    </section>
  ) : null;
}
