// The claim page, opened from the QR code of the box's screen: its fragment holds the claim code and the certificate's fingerprint. A
// fragment is sent to no server; it is taken out of the address at once, so that it stays in no history.

const said = new URLSearchParams(location.hash.slice(1));
if (said.has('claim') || said.has('sha256')) {
  history.replaceState(history.state, '', location.pathname + location.search);
  const code = said.get('claim') ?? '', print = (said.get('sha256') ?? '').toUpperCase();
  const field = document.querySelector('main input[name=code]:not([type=hidden])');
  if (field && /^[0-9A-Z-]{1,20}$/i.test(code)) field.value = code.toUpperCase();
  const shown = document.getElementById('certificate');
  if (shown && /^[0-9A-F]{64}$/.test(print)) {
    shown.querySelector('code').textContent = print.match(/.{4}/g).join(' '); // as the screen writes it
    shown.hidden = false;
  }
}
