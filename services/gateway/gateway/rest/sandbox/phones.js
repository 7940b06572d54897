// The sandbox network's side: phones and mailboxes with what they received, and answers from them.

import * as api from './api.js';
import { $, choices, doing, fill, phoneBubbleOf } from './show.js';
import { inboundOf, numbers } from './store.js';

const OTHER = 'other';
let phones = [], isOff = false, wanted = '', wantedSender = '', isNewWish = false;
let changed = () => undefined;

export const onChange = heard => { changed = heard; };
const form = $('answer'), fields = form.elements;
const keyOf = one => one.phone || one.email;
const chosen = () => phones.find(one => keyOf(one) === $('phone').value);

export async function open() {
  isOff = false;
  choices(fields.to, numbers().map(one => [`${one.channel} ${one.phone}`, `${one.display_name} ${one.phone}${one.channel === 'CHANNEL_WHATSAPP' ? ' (WhatsApp)' : ''}`]));
}

// Shows the phone or mailbox of whoever the store looks at; one that received nothing can write first.
export function follow(address, sender) {
  wanted = address;
  wantedSender = sender?.phone ? `${sender.channel} ${sender.phone}` : '';
  isNewWish = Boolean(address);
}

export function close() {
  phones = [];
  $('phone').replaceChildren();
  $('screen').replaceChildren();
}

export async function refresh() {
  if (isOff) return;
  try {
    phones = (await api.get('/v1/sandbox/phones', { page_size: 100 })).phones || [];
  } catch (error) {
    if (error.reason !== 'SANDBOX_OFF' && error.reason !== 'SCOPE_MISSING') throw error;
    isOff = true;
    form.hidden = true;
    const warning = error.reason === 'SANDBOX_OFF' ? ' What the store sends here goes to real phones.' : '';
    fill($('screen'), [], error.message + warning);
    return;
  }
  const before = $('phone').value;
  choices($('phone'), [...phones.map(one => [keyOf(one), keyOf(one)]), [OTHER, 'Another number']]);
  const isThere = phones.some(one => keyOf(one) === wanted);
  if (isThere) $('phone').value = wanted;
  else if (isNewWish) $('phone').value = OTHER;
  if ($('phone').value !== before || isNewWish) showChosen();
  if (isThere) wanted = '';
  isNewWish = false;
  await showScreen();
}

function showChosen() {
  const phone = chosen(), isMailbox = Boolean(phone?.email);
  $('handset-title').textContent = phone ? keyOf(phone) : 'Another number';
  form.hidden = isMailbox;
  $('mailbox-note').hidden = !isMailbox;
  fields.from.value = phone?.phone || (wanted.startsWith('+') ? wanted : '');
  if (wantedSender) fields.to.value = wantedSender;
  fields.from.readOnly = Boolean(phone);
  if (phone?.from_phone) {
    const last = [...fields.to.options].find(one => one.value === `${phone.channel} ${phone.from_phone}`);
    if (last) fields.to.value = last.value;
  }
  delete $('screen').dataset.shown;
}

async function showScreen() {
  const phone = chosen();
  if (!phone) {
    const from = fields.from.value.trim(), to = fields.to.value.split(' ')[1];
    const said = from ? await inboundOf(from, to) : [];
    if (chosen()) return;
    fill($('screen'), said.reverse().map(one => phoneBubbleOf(asOwn(one), { isOwn: true })), 'Write from a number that has received nothing yet.');
    return;
  }
  const received = (await api.get('/v1/sandbox/messages', phone.email
    ? { email: phone.email, page_size: 100 } : { phone: phone.phone, page_size: 100 })).messages || [];
  const stores = [...new Set(received.map(one => one.from_phone).filter(Boolean))];
  const said = (await Promise.all(stores.map(one => inboundOf(phone.phone, one)))).flat();
  if (chosen() !== phone) return;
  const all = [
    ...received.map(one => [one, { store: one.from_phone || one.from_email }]),
    ...said.map(one => [asOwn(one), { isOwn: true }]),
  ].sort(([one], [other]) => Date.parse(one.create_time) - Date.parse(other.create_time));
  fill($('screen'), all.map(([one, how]) => phoneBubbleOf(one, how)), 'Nothing was received yet.');
}

const asOwn = message => ({
  ...message,
  media_ids: (message.media || []).filter(one => one.state === 'MEDIA_STATE_STORED').map(one => one.media_id),
});

async function answer() {
  const file = fields.picture.files[0], [channel, to] = fields.to.value.split(' '), from = fields.from.value.trim();
  await api.post('/v1/sandbox/inbound', {
    from_phone: from, to_phone: to, channel, body: fields.body.value, provider_message_id: `page-${api.newId()}`,
    media_ids: file ? [await api.upload(file)] : undefined,
  });
  fields.body.value = '';
  fields.picture.value = '';
  delete $('screen').dataset.shown;
  changed();
}

form.addEventListener('submit', event => { event.preventDefault(); doing(form, answer).catch(() => changed()); });
for (const button of form.querySelectorAll('[data-say]')) {
  button.addEventListener('click', () => { fields.body.value = button.dataset.say; fields.body.focus(); });
}
$('phone').addEventListener('change', () => { wanted = ''; wantedSender = ''; showChosen(); changed(); });
