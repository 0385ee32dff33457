/** Reads the screen aloud with the phone's own voice, where it has one for the language. */

import { useEffect, useState } from 'preact/hooks';
import { language, words } from '../messages';
import { Icon } from './icons';

function voiceOf(wanted: string): SpeechSynthesisVoice | undefined {
  return typeof speechSynthesis === 'undefined'
    ? undefined
    : speechSynthesis.getVoices().find((voice) => voice.lang.toLowerCase().startsWith(wanted));
}

export function Listen() {
  const t = words.value;
  const [voice, setVoice] = useState(() => voiceOf(language.value));
  const [isReading, setReading] = useState(false);
  useEffect(() => {
    if (typeof speechSynthesis === 'undefined') {
      return;
    }
    const look = () => setVoice(voiceOf(language.value));
    look();
    // Voices arrive after the page on Chrome. Safari before 16 has no event here and lists them at once.
    speechSynthesis.addEventListener?.('voiceschanged', look);
    return () => {
      speechSynthesis.removeEventListener?.('voiceschanged', look);
      speechSynthesis.cancel();
    };
  }, [t]);
  if (voice === undefined) {
    return null;
  }
  const toggle = () => {
    speechSynthesis.cancel();
    if (isReading) {
      setReading(false);
      return;
    }
    // innerText, not textContent: what is hidden is not read, and lines are kept apart.
    const speech = new SpeechSynthesisUtterance(document.getElementById('content')?.innerText ?? '');
    speech.voice = voice;
    speech.lang = voice.lang;
    speech.rate = 0.9;
    speech.onend = () => setReading(false);
    speech.onerror = () => setReading(false);
    speechSynthesis.speak(speech);
    setReading(true);
  };
  return (
    <button type="button" class="quiet" onClick={toggle}>
      <Icon name="ear" size={20} />
      <span>{isReading ? t.stopListening : t.listen}</span>
    </button>
  );
}
