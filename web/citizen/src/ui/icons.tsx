/** Line drawings of things a person holds or does, drawn on a grid of 24. Decoration: the word beside it says the same. */

const SHAPES = {
  phone:
    'M7 2.5h10a1.5 1.5 0 0 1 1.5 1.5v16a1.5 1.5 0 0 1-1.5 1.5H7A1.5 1.5 0 0 1 5.5 20V4A1.5 1.5 0 0 1 7 2.5zM10.5 18.5h3',
  card: 'M3.5 5h17A1.5 1.5 0 0 1 22 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-17A1.5 1.5 0 0 1 2 17.5v-11A1.5 1.5 0 0 1 3.5 5zM5 15.5c.4-1.6 1.5-2.4 2.8-2.4s2.4.8 2.8 2.4M7.8 11.2a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM14 9h5M14 12h5M14 15h3',
  clock: 'M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19zM12 6.5V12l3.5 2.5',
  call: 'M6.6 3.5l2.6 4.2-1.7 2.2c1.1 2.5 3.1 4.5 5.6 5.6l2.2-1.7 4.2 2.6c.2 2.2-1.3 4.1-3.4 4.1C9 20.5 3.5 15 3.5 7.9c0-2.5 1.3-4.3 3.1-4.4z',
  camera:
    'M8.5 6l1.5-2.5h4L15.5 6H20a1.5 1.5 0 0 1 1.5 1.5v11A1.5 1.5 0 0 1 20 20H4a1.5 1.5 0 0 1-1.5-1.5v-11A1.5 1.5 0 0 1 4 6zM12 16.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8z',
  document:
    'M6 2.5h8.5L19 7v13a1.5 1.5 0 0 1-1.5 1.5H6A1.5 1.5 0 0 1 4.5 20V4A1.5 1.5 0 0 1 6 2.5zM14 2.5V7.5h5M8 12h8M8 15.5h8',
  check: 'M4.5 12.5l5 5 10-11',
  cross: 'M5.5 5.5l13 13M18.5 5.5l-13 13',
  shield: 'M12 2.5l8 3v6c0 5-3.3 8.5-8 10-4.7-1.5-8-5-8-10v-6zM8.5 12l2.5 2.5 4.5-5',
  lock: 'M6 10.5h12a1 1 0 0 1 1 1V20a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-8.5a1 1 0 0 1 1-1zM8 10.5V7a4 4 0 0 1 8 0v3.5M12 14.5v2.5',
  warning: 'M12 3.5l9.5 17h-19zM12 9.5v5M12 17.3v.4',
  back: 'M14.5 5l-7 7 7 7',
  forward: 'M9.5 5l7 7-7 7',
  qr: 'M3.5 3.5h6v6h-6zM14.5 3.5h6v6h-6zM3.5 14.5h6v6h-6zM14.5 14.5h2v2h-2zM18.5 14.5h2M14.5 18.5v2M18.5 18.5h2v2h-2z',
  pen: 'M4 20l1-4.5L16.5 4 20 7.5 8.5 19zM14 6.5l3.5 3.5',
  history: 'M4 5v4.5h4.5M4.3 9A8.5 8.5 0 1 1 3.5 13M12 8v4.5l3 2',
  settings:
    'M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  face: 'M12 14.5a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM3.5 21.5c1.2-3.5 4.5-5 8.5-5s7.3 1.5 8.5 5',
  ear: 'M4 9.5v5h3.5l5 4V5.5l-5 4zM16 9a4.2 4.2 0 0 1 0 6M18.5 6.5a8 8 0 0 1 0 11',
  down: 'M12 3.5v12M7 11l5 5 5-5M4 20.5h16',
  erase: 'M8 5.5h12.5v13H8L2.5 12zM11.5 9.5l5 5M16.5 9.5l-5 5',
};

export type IconName = keyof typeof SHAPES;

export function Icon({ name, size = 24 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={SHAPES[name]} />
    </svg>
  );
}
