// A one-time code in the address's fragment, which is sent to no server: it is taken out at once, so that it stays in no history.

const code = new URLSearchParams(location.hash.slice(1)).get('code');
if (code !== null) {
  history.replaceState(history.state, '', location.pathname + location.search);
  const field = document.querySelector('main input[name=code]');
  if (field && /^[A-Z2-7-]{1,64}$/i.test(code)) field.value = code.toUpperCase();
}
