"""What each service may claim when it calls another one on its own account, as data.

Written into the published keys, where every service reads it. The gateway speaks for people and machines that it has
checked, so it alone may claim anything. Work that a person asked for carries that person's own scopes instead.
"""

from collections.abc import Mapping

CALLER_SCOPES: Mapping[str, tuple[str, ...]] = {
    "profiles": ("records:export",),
    "outreach": ("clients:read", "directory:read", "messages:read", "messages:send", "segments:read"),
    "messaging": ("clients:read", "clients:write", "directory:read"),
    "waitlist": (),
    "appointments": (),
    "gateway": ("*",),
}
