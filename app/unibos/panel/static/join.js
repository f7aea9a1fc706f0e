// The page of an invitation, opened by its link: the code stands in the address's fragment, which is sent to no server. It is taken out of the
// address at once, so that it stays in no history, and the form goes on by itself.

const said = new URLSearchParams(location.hash.slice(1));
if (said.has('invite')) {
  history.replaceState(history.state, '', location.pathname + location.search);
  const code = (said.get('invite') ?? '').toUpperCase();
  const field = document.querySelector('main input[name=code]');
  if (field && /^[A-Z2-7]{16,64}$/.test(code)) {
    field.value = code;
    field.form.requestSubmit();
  }
}
