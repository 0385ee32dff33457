/** The phone's camera. Asked for only when the person presses a button, given back when the screen is left. */

export type Facing = 'environment' | 'user';

/** Why there is no picture: `denied` by the person, or `none`. */
export class NoCamera extends Error {
  readonly isDenied: boolean;

  constructor(isDenied: boolean) {
    super(isDenied ? 'denied' : 'none');
    this.isDenied = isDenied;
  }
}

export async function openCamera(facing: Facing): Promise<MediaStream> {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices?.getUserMedia === undefined) {
    throw new NoCamera(false);
  }
  try {
    return await devices.getUserMedia({
      audio: false,
      video: { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
  } catch (cause) {
    throw new NoCamera(cause instanceof Error && cause.name === 'NotAllowedError');
  }
}

export function closeCamera(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) {
    track.stop();
  }
}
