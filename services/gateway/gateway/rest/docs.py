"""The pages for people: /docs, which shows /openapi.json without anything from other hosts, and /problems/{reason}."""

import base64
import hashlib

from gateway.rest.contracts import operations
from gateway.rest.openapi.comments import comments

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
h1 { font-weight: 600; } h2 { margin-top: 2.5rem; text-transform: capitalize; }
details { border-top: 1px solid #8884; padding: .4rem 0; } summary { cursor: pointer; }
summary code { font-weight: 600; } .m { display: inline-block; width: 4.5rem; font-weight: 700; }
pre { background: #8881; overflow: auto; padding: .8rem; border-radius: .4rem; font-size: .85rem; }
p.lead { white-space: pre-line; } input { font: inherit; padding: .4rem .6rem; width: 100%; box-sizing: border-box; }
"""

_SCRIPT = """
const el = (tag, text, parent) => { const e = document.createElement(tag); if (text) e.textContent = text;
  parent && parent.append(e); return e; };
const show = (parent, title, value) => { if (value === undefined) return; el('h4', title, parent);
  el('pre', JSON.stringify(value, null, 2), parent); };
fetch('/openapi.json').then(r => r.json()).then(api => {
  const main = document.querySelector('main'); main.replaceChildren();
  el('p', api.info.description, main).className = 'lead';
  const find = el('input', '', main); find.placeholder = 'Find an operation';
  find.setAttribute('aria-label', find.placeholder);
  const all = [];
  for (const tag of api.tags) {
    const section = el('section', '', main); el('h2', tag.name, section); el('p', tag.description, section);
    for (const [path, methods] of Object.entries(api.paths))
    for (const [method, op] of Object.entries(methods)) {
      if (!op.tags.includes(tag.name)) continue;
      const item = el('details', '', section), line = el('summary', '', item);
      el('span', method.toUpperCase(), line).className = 'm'; el('code', path, line);
      line.append(' \\u00b7 ' + op.summary);
      el('p', op.description, item);
      for (const p of op.parameters || []) { const q = p.$ref ? api.components.parameters[p.$ref.split('/').pop()] : p;
        el('p', `${q.in} ${q.name}${q.required ? ' (required)' : ''}: ${q.description || q.schema.type}`, item); }
      const body = op.requestBody && op.requestBody.content['application/json'];
      show(item, 'Request', body && body.example);
      const good = Object.entries(op.responses)[0];
      const content = good[1].content && Object.values(good[1].content)[0];
      show(item, 'Response ' + good[0], content ? content.example : good[1].description);
      all.push([item, (method + ' ' + path + ' ' + op.summary).toLowerCase()]);
    }
  }
  find.oninput = () => { const q = find.value.toLowerCase();
    for (const [item, text] of all) item.hidden = !text.includes(q); };
});
"""


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; connect-src 'self'; script-src '{_digest(_SCRIPT)}'; style-src '{_digest(_STYLE)}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page() -> str:
    """Return the page; it holds all that it needs."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Carnet API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>Carnet API</h1>"
        '<p><a href="/openapi.json">openapi.json</a></p><main>Loading</main>'
        f"<script>{_SCRIPT}</script></body></html>"
    )


def problem_text(reason: str) -> str:
    """Return what is known about a reason: the operations whose contract names it."""
    named = [
        f"{operation.http_method} {operation.path}\n    {text}"
        for operation in operations()
        if f"({reason}" in (text := comments().get(operation.method.full_name, "")) or f"{reason})" in text
    ]
    return "\n\n".join([reason, *named]) + "\n"
