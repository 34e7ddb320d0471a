"""Which Ray clusters are used: what others can reach demands a token."""

import ipaddress
import os
import re
import secrets
from collections.abc import Mapping

from slimlm.utils.validation import FieldError

AUTH_MODE, TOKEN = "RAY_AUTH_MODE", "token"
ADDRESS = "RAY_ADDRESS"
_ADDRESS = re.compile(r"(?:ray://)?(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<host>[0-9A-Za-z.-]+))(?::[0-9]{1,5})?")


def check_address(address: str | None, environment: Mapping[str, str] = os.environ) -> None:
    """Refuse a cluster that others can reach unless Ray checks a token: without one, anybody there can run code.

    Raises FieldError for an address that is not of this machine alone, without RAY_AUTH_MODE=token.
    """
    if address in (None, "local") or is_loopback(str(address)) or environment.get(AUTH_MODE) == TOKEN:
        return
    rule = "others may reach that cluster and run code on it, unless all its processes demand a token"
    raise FieldError("address", address, rule, ((AUTH_MODE, TOKEN),))


def is_loopback(address: str) -> bool:
    """Whether an address, such as "127.0.0.1:6379" or "ray://[::1]:10001", can be reached from this machine alone.

    >>> is_loopback("127.0.0.1:6379"), is_loopback("ray://localhost:10001"), is_loopback("10.0.0.1:6379")
    (True, True, False)
    """
    found = _ADDRESS.fullmatch(address)  # of any other form, Ray may take another part for the host
    if not found:
        return False
    host = found["bracketed"] or found["host"]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def set_token() -> None:
    """Let the processes of a Ray of this machine's own demand a new token: they listen on the network too."""
    os.environ.setdefault(AUTH_MODE, TOKEN)
    if not any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def be_patient() -> None:
    """Let nodes take minutes to start: on a busy machine Ray's own limits of 10 and 30 seconds are too short."""
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "300")
