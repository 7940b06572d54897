"""The sandbox's pages at /sandbox: both sides of the texts in one browser, through the public API alone.

Static files of this package, with nothing from other hosts and no script inside the page. Must not know any contract.
"""

from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from gateway.rest.errors import RouteUnknown

PATH = "/sandbox"
# Pictures are shown from what the page has fetched itself: their addresses need credentials.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PAGE = "index.html"


def _read() -> Mapping[str, tuple[bytes, str]]:
    folder = Path(__file__).parent
    return {
        path.name: (path.read_bytes(), f"{_TYPES[path.suffix]}; charset=utf-8")
        for path in sorted(folder.iterdir())
        if path.suffix in _TYPES
    }


class SandboxPages:
    """Answers with the files."""

    def __init__(self) -> None:
        self._files = _read()

    async def show_page(self, _: Request) -> Response:
        """Answer with the page itself."""
        return self._answer(_PAGE)

    async def show_file(self, request: Request) -> Response:
        """Answer with a file that the page asks for. Raises RouteUnknown."""
        name = request.path_params["name"]
        if name not in self._files:
            raise RouteUnknown(request.url.path)
        return self._answer(name)

    def _answer(self, name: str) -> Response:
        content, media_type = self._files[name]
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
        return Response(content, media_type=media_type, headers=headers)
