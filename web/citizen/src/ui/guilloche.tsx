/**
 * The interlaced lines that certificates and banknotes wear, as ground of the title and of the signature's card: the one
 * ornament of the application. Computed rather than drawn, so it costs no bytes of transfer.
 */

const WIDTH = 600;
const HEIGHT = 160;

function wave(shift: number): string {
  const points: string[] = [];
  for (let x = 0; x <= WIDTH; x += 12) {
    const swell = Math.sin((x / WIDTH) * Math.PI * 3 + shift * 0.35);
    const ripple = Math.sin((x / WIDTH) * Math.PI * 9 - shift * 0.5);
    points.push(`${x} ${(HEIGHT / 2 + swell * 46 + ripple * 16 * Math.cos(shift * 0.4)).toFixed(1)}`);
  }
  return `M${points.join('L')}`;
}

const LINES = Array.from({ length: 14 }, (_, at) => wave(at));

export function Guilloche() {
  return (
    <svg
      class="guilloche"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      {LINES.map((line) => (
        <path key={line} d={line} />
      ))}
    </svg>
  );
}
