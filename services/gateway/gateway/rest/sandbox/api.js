// The public API, as a page that somebody signed in on may use it. Knows nothing of what is shown.

const KEPT = 'carnet-sandbox-token';
let token = sessionStorage.getItem(KEPT) || '';

export class Problem extends Error {
  constructor(status, body) {
    const wrong = (body.violations || []).map(one => `${one.field}: ${one.description}`);
    super([body.detail || `The server answered ${status}.`, ...wrong.filter(one => one !== body.detail)].join('\n'));
    this.status = status;
    this.reason = body.reason || '';
  }
}

export const isSignedIn = () => token !== '';

export function forget() {
  token = '';
  sessionStorage.removeItem(KEPT);
}

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

async function ask(method, path, { body, raw, type, signal } = {}) {
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (raw !== undefined) headers['content-type'] = type || 'application/octet-stream';
  const answer = await fetch(path, {
    method, headers, signal, body: body === undefined ? raw : JSON.stringify(body), cache: 'no-store', credentials: 'omit',
  });
  if (answer.ok) return answer;
  throw new Problem(answer.status, await answer.json().catch(() => ({})));
}

const queried = (path, query) => {
  const said = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  return said.length ? `${path}?${new URLSearchParams(said)}` : path;
};

export const get = async (path, query = {}) => (await ask('GET', queried(path, query))).json();
export const post = async (path, body = {}) => (await ask('POST', path, { body })).json();

export async function signIn(email, password) {
  token = '';
  const session = await post('/v1/sessions', { email, password });
  token = session.token;
  sessionStorage.setItem(KEPT, token);
}

export async function signOut() {
  await ask('DELETE', '/v1/sessions/current').catch(() => undefined);
  forget();
}

// Uploads a picture and returns its id.
export async function upload(file) {
  const media = await post('/v1/media', { request_id: newId(), content_type: file.type, file_name: file.name.slice(0, 100) });
  await ask('PUT', `/v1/media/${encodeURIComponent(media.media_id)}/content`, { raw: file });
  return media.media_id;
}

// Returns an address at which this page can show a picture.
export async function picture(mediaId) {
  const answer = await ask('GET', `/v1/media/${encodeURIComponent(mediaId)}/content`);
  return URL.createObjectURL(await answer.blob());
}

// Calls `heard` for each event as it happens, until `signal` is aborted; throws when the stream ends.
export async function listen(types, heard, signal) {
  const answer = await ask('GET', queried('/v1/stream', { types }), { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error('the stream ended');
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    if (blocks.some(block => block.startsWith('id:') || block.startsWith('event:'))) heard();
  }
}
