// The store's side: its conversations, one thread, and what is written in it.

import * as api from './api.js';
import { count } from './segments.js';
import { $, bubbleOf, channelOf, choices, doing, el, fill, showDecision, timeOf } from './show.js';

const LOOK_MS = 350;
const names = new Map();
let me = {}, senders = [], stores = [], templates = [], conversations = [], chosen = null, looking = 0, asked = 0, newest = '';
let changed = () => undefined, follow = () => undefined;

export const onChange = heard => { changed = heard; };
// Tells whose address is in view, so that the other side can be the same person's.
export const onChoose = heard => { follow = heard; };
const form = $('composer'), fields = form.elements;

export async function open(caller) {
  me = caller;
  [senders, stores, templates] = await Promise.all([
    api.get('/v1/senders', { page_size: 200 }).then(found => found.senders || []),
    api.get('/v1/stores', { page_size: 200 }).then(found => found.stores || []),
    api.get('/v1/templates', { page_size: 200 }).then(found => found.templates || []),
  ]);
  const own = me.store_ids || [];
  const open = stores.filter(one => (!own.length || own.includes(one.store_id)) && senders.some(sender => sender.store_id === one.store_id));
  choices($('store'), open.map(one => [one.store_id, one.display_name]));
}

export function close() {
  names.clear();
  conversations = [];
  choose(null);
  $('conversations').replaceChildren();
}

export async function refresh() {
  const storeId = $('store').value;
  if (!storeId) {
    fill($('conversations'), [], 'No store of yours has a number yet.');
    return;
  }
  conversations = (await api.get('/v1/conversations', { store_id: storeId, page_size: 50 })).conversations || [];
  await learnNames(conversations.flatMap(one => one.client_ids || []));
  fill($('conversations'), conversations.map(rowOf), 'Nobody has been written to yet.');
  $('conversations').scrollTop = 0;
  if (!chosen) return;
  if (!chosen.conversation_id) adopt();
  if (chosen.conversation_id) await showThread();
  else fill($('messages'), [], 'Nothing yet.');
}

// What was begun with a client is a conversation as soon as something was written.
function adopt() {
  const begun = conversations.find(one => one.client_id === chosen.client_id && one.channel === fields.channel.value);
  if (!begun) return;
  chosen = begun;
  follow(addressOf(begun), senders.find(sender => sender.sender_id === begun.sender_id));
}

async function learnNames(clientIds) {
  const unknown = [...new Set(clientIds)].filter(id => id && !names.has(id));
  await Promise.all(unknown.map(async id => {
    try {
      const client = await api.get(`/v1/clients/${encodeURIComponent(id)}`);
      names.set(id, `${client.given_name || ''} ${client.family_name || ''}`.trim() || id);
    } catch (error) {
      if (error.status !== 404 && error.status !== 403) throw error;
      names.set(id, id);
    }
  }));
}

const addressOf = one => one.client_phone || one.client_email || '';
const nameOf = one => (one.client_ids || []).map(id => names.get(id) || id).join(' or ') || addressOf(one);

function rowOf(one) {
  const last = one.last_message || {};
  const said = last.subject || last.body || ((last.media || []).length ? 'Picture' : '');
  return el('li', {}, el(
    'button', {
      attributes: { type: 'button', 'aria-current': String(one.conversation_id === chosen?.conversation_id) },
      on: { click: () => choose(one) },
    },
    el('span', { className: 'name', text: nameOf(one) }),
    el('span', { className: 'time', text: timeOf(one.last_message_time) }),
    el('span', { className: 'last', text: `${last.direction === 'DIRECTION_OUTBOUND' ? 'You: ' : ''}${said}` }),
    one.unread_count ? el('span', { className: 'badge', text: String(one.unread_count) }) : el('span', { className: 'time', text: channelOf(one.channel) }),
  ));
}

function choose(one) {
  chosen = one;
  newest = '';
  const store = document.querySelector('.store');
  store.classList.toggle('reading', Boolean(one));
  form.hidden = !one;
  $('messages').replaceChildren();
  delete $('messages').dataset.shown;
  showDecision($('gate'), null);
  showTitle();
  if (!one) return;
  const own = senders.filter(sender => sender.store_id === $('store').value).map(sender => sender.channel);
  const channels = one.conversation_id ? [one.channel] : [...new Set(own)];
  choices(fields.channel, channels.map(value => [value, channelOf(value)]), one.channel);
  showTemplates();
  follow(addressOf(one), senders.find(sender => sender.sender_id === one.sender_id));
  look();
  changed();
}

function showTitle() {
  $('title').replaceChildren();
  if (!chosen) { $('title').append(el('span', { text: 'Choose a conversation, or write to a client.' })); return; }
  const known = [addressOf(chosen), chosen.is_shared_number ? 'several clients have this number' : ''];
  if (chosen.state === 'CONVERSATION_STATE_CLOSED') known.push('closed');
  $('title').append(el('strong', { text: nameOf(chosen) }), el('span', { text: known.filter(Boolean).join(' · ') }));
}

async function showThread() {
  const id = chosen.conversation_id;
  const path = `/v1/conversations/${encodeURIComponent(id)}`;
  const found = await api.get(`${path}/messages`, { page_size: 100 });
  if (chosen?.conversation_id !== id) return;
  chosen = conversations.find(one => one.conversation_id === id) || chosen;
  showTitle();
  const [latest] = found.messages || [];
  fill($('messages'), (found.messages || []).reverse().map(bubbleOf), 'Nothing yet.');
  // What was just said may change what the gate says.
  const said = `${latest?.message_id} ${latest?.state}`;
  if (said !== newest) { newest = said; look(); }
  if (chosen.unread_count) await api.post(`${path}:mark_read`);
}

function showTemplates() {
  const fitting = templates.filter(one => one.channel === fields.channel.value);
  choices(fields.template, [['', 'None'], ...fitting.map(one => [one.template_id, one.display_name])]);
  showTemplate();
}

const templateOf = () => templates.find(one => one.template_id === fields.template.value);

function showTemplate() {
  const template = templateOf();
  const own = (template?.variables || []).filter(name => !name.includes('.'));
  $('values').replaceChildren(...own.map(name => el(
    'label', { text: `${name} ` }, el('input', { attributes: { 'data-name': name, maxlength: '500' }, on: { input: soonLook } }),
  )));
  if (template) fields.purpose.value = template.purpose;
  fields.purpose.disabled = Boolean(template);
  fields.body.readOnly = Boolean(template);
  if (!template) fields.body.value = '';
  document.querySelector('.subject').hidden = fields.channel.value !== 'CHANNEL_EMAIL';
  fields.subject.readOnly = Boolean(template);
  fields.subject.value = '';
}

const valuesOf = () => Object.fromEntries(
  [...$('values').querySelectorAll('input')].map(input => [input.dataset.name, input.value]).filter(([, value]) => value.trim()),
);

function soonLook() {
  clearTimeout(looking);
  looking = setTimeout(look, LOOK_MS);
}

// Says what would go out, what it costs, and what the gate would say.
async function look() {
  const template = templateOf(), turn = ++asked;
  if (!chosen) return;
  if (!template) showCount(fields.channel.value === 'CHANNEL_SMS' ? count(fields.body.value) : null);
  try {
    const shown = template ? await preview(template) : await check();
    if (turn === asked) showDecision($('gate'), shown);
  } catch (error) {
    if (turn !== asked) return;
    showDecision($('gate'), { verdict: 'VERDICT_DENY', reasons: [{ reason: error.reason, message: error.message }] });
  }
}

async function check() {
  const where = chosen.conversation_id
    ? { conversation_id: chosen.conversation_id }
    : { client_id: chosen.client_id, store_id: $('store').value, channel: fields.channel.value };
  return api.post('/v1/messages:check', { ...where, purpose: fields.purpose.value, body: fields.body.value });
}

async function preview(template) {
  if (!chosen.client_id) throw new Error('A template needs a client: this number is nobody\'s, or several clients have it.');
  const shown = await api.post('/v1/templates:preview', {
    template_id: template.template_id, client_id: chosen.client_id, store_id: $('store').value, values: valuesOf(),
  });
  if (templateOf() !== template) return null;
  fields.body.value = shown.body || '';
  fields.subject.value = shown.subject || '';
  showCount(shown.segments ? { characters: shown.characters, segments: shown.segments, encoding: shown.encoding, costly: shown.costly_characters || [] } : null, shown.cost);
  const missing = shown.missing_values || [];
  return missing.length
    ? { verdict: 'VERDICT_DENY', reasons: [{ reason: 'TEMPLATE_VALUE_MISSING', message: `There is no value for ${missing.join(', ')}.` }] }
    : shown.decision;
}

function showCount(counted, cost) {
  if (!counted || !counted.characters) { $('count').textContent = ''; return; }
  const said = [`${counted.characters} characters`, counted.segments === 1 ? '1 segment' : `${counted.segments} segments`, counted.encoding];
  if (counted.costly.length) said.push(`dear because of ${counted.costly.join(' ')}`);
  if (cost) said.push(`${Number(cost.units || 0) + (cost.nanos || 0) / 1e9} ${cost.currency_code}`);
  $('count').textContent = said.join(' · ');
}

async function send() {
  const template = templateOf(), file = fields.picture.files[0];
  const where = chosen.conversation_id
    ? { conversation_id: chosen.conversation_id }
    : { client_id: chosen.client_id, store_id: $('store').value, channel: fields.channel.value };
  const written = template
    ? { template_id: template.template_id, values: valuesOf() }
    : { body: fields.body.value, subject: fields.channel.value === 'CHANNEL_EMAIL' ? fields.subject.value : undefined };
  await api.post('/v1/messages', {
    request_id: api.newId(), ...where, ...written, purpose: fields.purpose.value,
    media_ids: file ? [await api.upload(file)] : undefined,
  });
  fields.body.value = '';
  fields.subject.value = '';
  fields.picture.value = '';
  fields.template.value = '';
  showTemplate();
  delete $('messages').dataset.shown;
  look();
  changed();
}

async function find(query) {
  if (query.trim().length < 2) { $('found').replaceChildren(); return; }
  const clients = (await api.get('/v1/clients', { query, page_size: 8 })).clients || [];
  $('found').replaceChildren(...clients.map(client => {
    const name = `${client.given_name || ''} ${client.family_name || ''}`.trim();
    names.set(client.client_id, name || client.client_id);
    const points = (client.contact_points || []).map(point => point.value).join(' · ');
    return el('li', {}, el(
      'button', { attributes: { type: 'button' }, on: { click: () => begin(client) } },
      el('span', { className: 'name', text: name }), el('span'), el('span', { className: 'last', text: points }),
    ));
  }));
}

function begin(client) {
  $('find').hidden = true;
  $('find').reset();
  $('found').replaceChildren();
  const existing = conversations.find(one => one.client_id === client.client_id && one.channel === 'CHANNEL_SMS');
  const phone = (client.contact_points || []).find(point => point.kind === 'CONTACT_KIND_PHONE')?.value || '';
  choose(existing || { client_id: client.client_id, client_ids: [client.client_id], client_phone: phone });
}

form.addEventListener('submit', event => { event.preventDefault(); doing(form, send).catch(() => changed()); });
fields.body.addEventListener('input', soonLook);
fields.purpose.addEventListener('change', look);
fields.template.addEventListener('change', () => { showTemplate(); look(); });
fields.channel.addEventListener('change', () => { showTemplates(); look(); });
$('store').addEventListener('change', () => { choose(null); changed(); });
$('back').addEventListener('click', () => choose(null));
$('write-new').addEventListener('click', () => {
  $('find').hidden = !$('find').hidden;
  if (!$('find').hidden) $('find').elements.query.focus();
});
$('find').addEventListener('submit', event => event.preventDefault());
let finding = 0;
$('find').elements.query.addEventListener('input', event => {
  clearTimeout(finding);
  finding = setTimeout(() => find(event.target.value).catch(() => undefined), LOOK_MS);
});
showTitle();

export const numbers = () => senders.filter(one => one.channel !== 'CHANNEL_EMAIL');
export const inboundOf = async (phone, storePhone) => {
  const sender = senders.find(one => one.phone === storePhone);
  const known = conversations.find(one => one.client_phone === phone && one.sender_id === sender?.sender_id);
  if (!known) return [];
  const path = `/v1/conversations/${encodeURIComponent(known.conversation_id)}/messages`;
  const found = (await api.get(path, { page_size: 100 })).messages || [];
  return found.filter(one => one.direction === 'DIRECTION_INBOUND');
};
