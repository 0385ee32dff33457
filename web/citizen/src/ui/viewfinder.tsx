/** The camera's picture with a frame to aim by; gives the video to whoever looks at it several times a second. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { closeCamera, type Facing, NoCamera, openCamera } from '../camera/stream';
import { words } from '../messages';
import { Alert, Busy } from './parts';

export type Shape = 'card' | 'face' | 'qr';

export function Viewfinder({
  facing,
  shape,
  hint,
  everyMs,
  onLook,
  onReady,
}: {
  facing: Facing;
  shape: Shape;
  /** What to do now, said politely by screen readers. */
  hint: string;
  everyMs: number;
  onLook: (video: HTMLVideoElement) => Promise<void>;
  onReady?: (video: HTMLVideoElement | undefined) => void;
}) {
  const t = words.value.camera;
  const video = useRef<HTMLVideoElement>(null);
  const look = useRef(onLook);
  look.current = onLook;
  const [state, setState] = useState<'opening' | 'open' | 'denied' | 'none'>('opening');
  useEffect(() => {
    let stream: MediaStream | undefined;
    let isOver = false;
    let timer = 0;
    const turn = async () => {
      const shown = video.current;
      if (shown !== null && shown.videoWidth > 0 && !document.hidden) {
        await look.current(shown).catch(() => undefined);
      }
      if (!isOver) {
        timer = window.setTimeout(turn, everyMs);
      }
    };
    const start = async () => {
      try {
        stream = await openCamera(facing);
        const shown = video.current;
        if (isOver || shown === null) {
          closeCamera(stream);
          return;
        }
        shown.srcObject = stream;
        await shown.play();
        setState('open');
        onReady?.(shown);
        void turn();
      } catch (cause) {
        setState(cause instanceof NoCamera && cause.isDenied ? 'denied' : 'none');
      }
    };
    void start();
    return () => {
      isOver = true;
      window.clearTimeout(timer);
      closeCamera(stream);
      onReady?.(undefined);
    };
  }, [facing]);
  if (state === 'denied' || state === 'none') {
    return <Alert>{state === 'denied' ? t.denied : t.none}</Alert>;
  }
  return (
    <div>
      <div class={`viewfinder ${shape}`}>
        <video ref={video} playsInline muted aria-label={t.frame} class={facing === 'user' ? 'mirror' : ''} />
        <span class="aim" aria-hidden="true" />
      </div>
      {state === 'opening' ? (
        <Busy text={words.value.busy} />
      ) : (
        <p class="live-hint" role="status">
          {hint}
        </p>
      )}
    </div>
  );
}
