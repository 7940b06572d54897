// Pieces of the page. Whatever somebody wrote becomes text nodes; nothing is ever read as HTML.

import * as api from './api.js';

export const $ = id => document.getElementById(id);

export function el(tag, { text, className, attributes = {}, on = {} } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  for (const [name, heard] of Object.entries(on)) made.addEventListener(name, heard);
  made.append(...children.filter(Boolean));
  return made;
}

export function choices(select, options, chosen) {
  const before = chosen ?? select.value;
  select.replaceChildren(...options.map(([value, text]) => el('option', { text, attributes: { value } })));
  if (options.some(([value]) => value === before)) select.value = before;
  return select.value;
}

const words = value => value.replace(/^[A-Z]+?_(?:STATE_)?/, '').replaceAll('_', ' ').toLowerCase();
const CHANNELS = { CHANNEL_SMS: 'SMS', CHANNEL_EMAIL: 'E-mail', CHANNEL_WHATSAPP: 'WhatsApp' };
export const channelOf = value => CHANNELS[value] || value;
export const wordOf = (value, prefix) => words(value.startsWith(prefix) ? `X_${value.slice(prefix.length)}` : value);

export function timeOf(value) {
  if (!value) return '';
  const time = new Date(value);
  const isToday = time.toDateString() === new Date().toDateString();
  return time.toLocaleString([], isToday ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
}

const shown = new Map();

// Returns an image that appears once its content is there.
export function pictureOf(mediaId) {
  const image = el('img', { attributes: { alt: 'Picture', hidden: '' } });
  if (!shown.has(mediaId)) shown.set(mediaId, api.picture(mediaId).catch(error => { shown.delete(mediaId); throw error; }));
  shown.get(mediaId).then(address => { image.src = address; image.hidden = false; }, () => { image.alt = 'Picture, not there yet'; image.hidden = false; });
  return image;
}

const SAID = {
  QUEUED: '', DEFERRED: 'wait', DENIED: 'bad', SENDING: '', UNKNOWN: 'wait', SENT: '', DELIVERED: 'good', FAILED: 'bad',
  CANCELLED: 'wait', EXPIRED: 'wait',
};

export function bubbleOf(message) {
  const isNote = message.direction === 'DIRECTION_NOTE', isOurs = message.direction === 'DIRECTION_OUTBOUND';
  const state = (message.state || '').replace('MESSAGE_STATE_', '');
  const meta = [timeOf(message.create_time)];
  if (isOurs) {
    meta.push(wordOf(message.purpose || '', 'PURPOSE_'));
    if (message.segments) meta.push(message.segments === 1 ? '1 segment' : `${message.segments} segments`);
  }
  if (isNote) meta.unshift('note');
  const line = el('span', { className: 'meta', text: meta.filter(Boolean).join(' · ') });
  if (isOurs) line.append(' · ', el('span', { className: SAID[state] || '', text: words(`X_${state}`) }));
  const why = [];
  if (isOurs && ['DEFERRED', 'DENIED'].includes(state) && message.decision) {
    if (message.send_after_time && state === 'DEFERRED') why.push(`Goes out ${timeOf(message.send_after_time)}.`);
    why.push(...(message.decision.reasons || []).map(one => one.message));
  }
  if (message.error_code) why.push(`${message.error_code}${message.error_message ? `: ${message.error_message}` : ''}`);
  return el(
    'li', { className: `bubble ${isNote ? 'remark' : isOurs ? 'ours' : 'theirs'}` },
    message.subject && el('p', { className: 'subject-line', text: message.subject }),
    message.body && el('p', { text: message.body }),
    ...(message.media || []).map(one => (one.state === 'MEDIA_STATE_STORED'
      ? pictureOf(one.media_id)
      : el('span', { className: 'meta', text: `Picture: ${words(one.state || 'X_pending')}` }))),
    line,
    ...why.map(text => el('div', { className: `why ${SAID[state] || ''}`, text })),
  );
}

export function phoneBubbleOf(message, { isOwn = false, store = '' } = {}) {
  const meta = [timeOf(message.create_time), store];
  if (!isOwn && message.segments) meta.push(message.segments === 1 ? '1 segment' : `${message.segments} segments`);
  return el(
    'li', { className: `bubble ${isOwn ? 'ours' : 'theirs'}` },
    message.subject && el('p', { className: 'subject-line', text: message.subject }),
    message.body && el('p', { text: message.body }),
    ...(message.media_ids || []).map(pictureOf),
    el('span', { className: 'meta', text: meta.filter(Boolean).join(' · ') }),
    message.unsubscribe_url && safeLink(message.unsubscribe_url),
  );
}

function safeLink(url) {
  if (!/^https?:\/\//.test(url)) return null;
  return el('a', { text: 'No more of these', attributes: { href: url, target: '_blank', rel: 'noopener noreferrer' } });
}

const VERDICTS = { VERDICT_ALLOW: ['allow', 'May go out now'], VERDICT_DEFER: ['defer', 'Waits'], VERDICT_DENY: ['deny', 'May not go out'] };

export function showDecision(box, decision) {
  const [className, title] = VERDICTS[decision?.verdict] || ['', ''];
  box.className = `gate ${className}`;
  box.replaceChildren();
  if (!title) return;
  const until = decision.defer_until_time ? ` until ${timeOf(decision.defer_until_time)}` : '';
  box.append(el('strong', { text: title + until }));
  const reasons = decision.reasons || [];
  if (reasons.length) {
    box.append(el('ul', {}, ...reasons.map(one => el('li', { text: one.message, attributes: { title: one.reason } }))));
  }
}

// Shows a list's newest end, unless somebody has scrolled away from it.
export function fill(list, children, emptyText) {
  const wasAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.replaceChildren(...(children.length ? children : [el('li', { className: 'empty', text: emptyText })]));
  if (wasAtEnd || !list.dataset.shown) list.scrollTop = list.scrollHeight;
  list.dataset.shown = '1';
}

export async function doing(form, work) {
  const said = form.querySelector('.problem'), buttons = form.querySelectorAll('button');
  said.textContent = '';
  for (const button of buttons) button.disabled = true;
  try {
    await work();
  } catch (error) {
    said.textContent = error.message;
    if (error.status === 401) throw error;
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}
