// The element says that something changed; what is true is what this portal's own server then shows.
document.addEventListener('kyso-sign', (event) => {
  const { state } = event.detail;
  if (state === 'signed' || state === 'delivered') {
    setTimeout(() => location.reload(), 1500);
  }
  document.getElementById('again').hidden = !['refused', 'withdrawn', 'expired', 'failed'].includes(state);
});
