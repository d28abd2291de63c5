// Shows a password to whoever types it, for as long as she wants. Without this script there is no button.
(() => {
  'use strict';

  const fieldOf = button => document.getElementById(button.dataset.reveal);

  const show = (button, shown) => {
    button.setAttribute('aria-pressed', shown);
    fieldOf(button).type = shown ? 'text' : 'password';
  };

  const buttons = [...document.querySelectorAll('[data-reveal]')];
  const hide = () => buttons.forEach(button => show(button, false));
  for (const button of buttons) {
    const field = fieldOf(button);
    // What is shown is a secret all the same: no service checks its spelling.
    field.spellcheck = false;
    field.autocapitalize = 'none';
    field.setAttribute('autocorrect', 'off');
    button.hidden = false;
    button.addEventListener('click', () =>
      show(button, button.getAttribute('aria-pressed') !== 'true'));
    field.form.addEventListener('submit', hide);
  }
  // Neither the way back nor the browser's memory of forms finds it shown.
  addEventListener('pagehide', hide);
})();
