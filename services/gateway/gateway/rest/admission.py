"""Who a request is from, and whether there is room for it. Must not decide what the caller may do."""

from starlette.requests import Request

from chassis.caller import Caller, set_caller
from chassis.errors import ServiceError
from gateway.auth.authenticator import Authenticates
from gateway.auth.domain import Credential, TokenInvalid
from gateway.limits import Allowance, Limiter
from gateway.rest.errors import TokenMissing
from gateway.rest.problems import limit_headers

_LONGEST_TOKEN = 200
CREDENTIAL_KEY = "carnet-credential"  # metadata to the gateway's own service: which session or key it is


class Admission:
    """Admits requests, and makes the caller known to every call that is made for them."""

    def __init__(self, authenticate: Authenticates, limiter: Limiter) -> None:
        self._authenticate = authenticate
        self._limiter = limiter

    async def admit(self, request: Request) -> Credential:
        """Return whose request it is. Raises TokenMissing, TokenInvalid and RateLimited."""
        try:
            credential, caller = await self.verify(request)
        except (TokenMissing, TokenInvalid):
            await self._limiter.take("address", address_of(request))
            raise
        self._note(request, await self._limiter.take("credential", credential.credential_id))
        set_caller(caller)
        return credential

    async def admit_anybody(self, request: Request) -> None:
        """Admit a request to a public operation. Raises RateLimited."""
        set_caller(None)
        self._note(request, await self._limiter.take("public", address_of(request)))

    async def admit_outside(self, request: Request) -> None:
        """Admit a request of a party that proves itself elsewhere, such as a carrier. Raises RateLimited."""
        self._note(request, await self._limiter.take("outside", address_of(request)))

    async def verify(self, request: Request) -> tuple[Credential, Caller]:
        """Return whose token the request carries, without counting it; for long streams that ask again and again."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if not token:
            if "access_token" in request.query_params:
                raise TokenMissing(
                    "Tokens in addresses end up in logs: send Authorization: Bearer <token or key>."
                )
            raise TokenMissing
        if kind.lower() != "bearer" or len(token) > _LONGEST_TOKEN or not token.isascii():
            raise TokenInvalid
        return await self._authenticate(token)

    async def still_valid(self, request: Request) -> bool:
        """Return whether the token would be admitted once more; True while that cannot be found out."""
        try:
            await self.verify(request)
        except (TokenMissing, TokenInvalid):
            return False
        except ServiceError:
            return True
        return True

    def _note(self, request: Request, allowance: Allowance | None) -> None:
        if allowance is not None:
            request.state.headers = limit_headers(
                allowance.limit, allowance.remaining, allowance.reset_seconds
            )


def address_of(request: Request) -> str:
    """Return the network address that a request came from, as the server (or its trusted proxy) saw it."""
    return request.client.host if request.client else "unknown"
