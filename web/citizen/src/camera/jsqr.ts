/** jsQR in a script of its own, with all that its module format needs. */
export { default } from 'jsqr';
