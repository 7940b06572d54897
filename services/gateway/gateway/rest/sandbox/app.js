// Signs in, keeps both sides up to date, and passes what happens on one of them to the other.

import * as api from './api.js';
import * as phones from './phones.js';
import * as store from './store.js';
import { $, doing } from './show.js';

const POLL_MS = 5000, SETTLE_MS = 200;
let stopping = new AbortController(), refreshing = null, again = false, timer = 0;

async function refresh() {
  if (refreshing) { again = true; return; }
  refreshing = (async () => {
    await store.refresh();
    await phones.refresh();
  })();
  try {
    await refreshing;
  } catch (error) {
    if (error.status === 401) return leave();
    $('live').textContent = error.message;
  } finally {
    refreshing = null;
    if (again) { again = false; soon(); }
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, SETTLE_MS);
}

async function keepListening(signal) {
  while (!signal.aborted) {
    try {
      $('live').textContent = 'live';
      await api.listen('carnet.messaging.', soon, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401) return leave();
      $('live').textContent = 'looking every few seconds';
    }
    await new Promise(done => setTimeout(done, POLL_MS));
    soon();
  }
}

async function enter() {
  const me = await api.get('/v1/me');
  $('who').textContent = me.display_name || '';
  $('sign-in').hidden = true;
  $('desk').hidden = false;
  stopping = new AbortController();
  await store.open(me);
  await phones.open();
  await refresh();
  const { signal } = stopping;
  keepListening(signal);
  // Receipts come a moment after what caused them, and some of what is shown has no event of its own.
  const poll = setInterval(soon, POLL_MS);
  signal.addEventListener('abort', () => clearInterval(poll));
}

function leave() {
  stopping.abort();
  api.forget();
  store.close();
  phones.close();
  $('desk').hidden = true;
  $('sign-in').hidden = false;
}

function showSide(side) {
  $('desk').dataset.side = side;
  for (const button of document.querySelectorAll('.sides button')) {
    button.setAttribute('aria-pressed', String(button.dataset.side === side));
  }
}

for (const button of document.querySelectorAll('.sides button')) {
  button.addEventListener('click', () => showSide(button.dataset.side));
}
$('sign-in-form').addEventListener('submit', event => {
  event.preventDefault();
  const form = event.target, { email, password } = form.elements;
  doing(form, async () => {
    await api.signIn(email.value.trim(), password.value);
    password.value = '';
    await enter();
  }).catch(() => undefined);
});
$('sign-out').addEventListener('click', async () => { await api.signOut(); leave(); });
store.onChange(soon);
phones.onChange(soon);
store.onChoose(phones.follow);

if (api.isSignedIn()) {
  enter().catch(error => {
    leave();
    if (error.status !== 401) $('sign-in-form').querySelector('.problem').textContent = error.message;
  });
} else {
  $('sign-in').hidden = false;
}
