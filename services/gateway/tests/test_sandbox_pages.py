"""The sandbox's pages: served whole, from here alone, with nothing that could run what somebody wrote."""

import re
from pathlib import Path
from typing import Any

import pytest

import gateway.rest.sandbox
from gateway.rest.sandbox import CONTENT_SECURITY_POLICY

FOLDER = Path(gateway.rest.sandbox.__file__).parent
FILES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}
SHIPPED = sorted(path.name for path in FOLDER.iterdir() if path.suffix in FILES)


async def test_the_page_is_served_to_anybody_under_a_strict_policy(api: Any) -> None:
    page = await api.http.get("/sandbox")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["content-security-policy"]
    assert policy == CONTENT_SECURITY_POLICY
    assert "unsafe" not in policy
    for rule in ("default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("name", SHIPPED)
async def test_every_file_is_served_as_what_it_is(api: Any, name: str) -> None:
    answer = await api.http.get(f"/sandbox/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{FILES[Path(name).suffix]}; charset=utf-8"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.content == (FOLDER / name).read_bytes()


@pytest.mark.parametrize(
    "path", ["/sandbox/nope.js", "/sandbox/__init__.py", "/sandbox/..%2Fdocs.py", "/sandbox/"]
)
async def test_nothing_else_is_served(api: Any, path: str) -> None:
    answer = await api.http.get(path)
    assert (answer.status_code, answer.json()["reason"]) == (404, "ROUTE_NOT_FOUND")


async def test_the_page_asks_only_for_files_that_are_there() -> None:
    written = "".join((FOLDER / name).read_text(encoding="utf-8") for name in SHIPPED)
    asked = {
        *re.findall(r'(?:src|href)="/sandbox/([^"]+)"', written),
        *re.findall(r"from '\./([^']+)'", written),
    }
    assert asked == set(SHIPPED) - {"index.html"}


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_comes_from_elsewhere_and_nothing_written_becomes_markup(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://[a-z]|\b(?:src|href)=\"//", written)
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert word not in written
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=\"", written)


def test_segments_are_counted_by_the_same_alphabet_as_in_messaging() -> None:
    script = (FOLDER / "segments.js").read_text(encoding="utf-8")
    python = (FOLDER.parents[3] / "messaging" / "messaging" / "segments.py").read_text(encoding="utf-8")
    theirs = "".join(eval("".join(re.findall(r'^    ("[^\n]*")$', python, re.MULTILINE)[:2]), {}))
    theirs_extended = eval(re.search(r'_EXTENDED = frozenset\((".*?")\)', python)[1], {})  # type: ignore[index]
    ours = "".join(
        part.replace("\\n", "\n").replace("\\r", "\r").replace("\\'", "'")
        for part in re.findall(r"'((?:[^'\\]|\\.)*)'", script.partition("EXTENDED")[0])
    )
    extended = re.search(r"EXTENDED = new Set\('(.*?)'\)", script)
    assert extended is not None
    assert set(ours) == set(theirs)
    assert set(extended[1].replace("\\f", "\f").replace("\\\\", "\\")) == set(theirs_extended)
