"""Tokens, browser sessions, and which addresses may be served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from api.auth import COOKIE, Guard, check_address
from pas_lib.clock import FixedClock
from pas_lib.errors import SettingsError
from pas_lib.settings import Settings, load_settings

ADMIN = "a" * 40
READ = "r" * 40
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


def settings_with(admin: str | None = ADMIN, read: str | None = READ, host: str = "127.0.0.1") -> Settings:
    env = {"PAS_API_HOST": host}
    one = load_settings(env)
    update = {
        "api_token": SecretStr(admin) if admin else None,
        "api_read_token": SecretStr(read) if read else None,
    }
    return one.model_copy(update=update)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def guard(clock: FixedClock) -> Guard:
    return Guard(settings_with(), clock)


def request(method: str = "GET", query: str = "", **headers: str) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/db", "query_string": query.encode(), "headers": raw})


@pytest.mark.parametrize(
    ("header", "level"),
    [
        (ADMIN, "admin"),
        (READ, "read"),
        (f"Bearer {ADMIN}", "admin"),
        (f"bearer  {READ} ", "read"),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        (f"Basic {ADMIN}", None),
        (ADMIN[:-1], None),
        (ADMIN + "a", None),
        (ADMIN.upper(), None),
        ("\u00e9" * 40, None),
    ],
)
def test_header(guard: Guard, header: str, level: str | None) -> None:
    assert guard.level_of(request(authorization=header)) == level


def test_query_carries_the_read_token_of_a_get_only(guard: Guard) -> None:
    assert guard.level_of(request(query=f"token={READ}")) == "read"
    assert guard.level_of(request("HEAD", query=f"token={READ}")) == "read"
    assert guard.level_of(request(query=f"token={ADMIN}")) is None
    assert guard.level_of(request("POST", query=f"token={READ}")) is None
    assert guard.level_of(request(query=f"token=x&token={READ}")) is None


def test_a_wrong_header_is_not_saved_by_query_or_cookie(guard: Guard) -> None:
    cookie = f"{COOKIE}={guard.open_session()}"
    assert guard.level_of(request(cookie=cookie)) == "read"
    assert guard.level_of(request(cookie=cookie, authorization="wrong")) is None
    assert guard.level_of(request(query=f"token={READ}", authorization="wrong")) is None
    assert guard.level_of(request("POST", cookie=cookie)) is None


def test_session_ends_with_time_and_logout(guard: Guard, clock: FixedClock) -> None:
    first, second = guard.open_session(), guard.open_session()
    assert first != second
    guard.close_session(first)
    assert not guard.session_is_valid(first)
    assert guard.session_is_valid(second)
    clock.at = NOON + timedelta(hours=11, minutes=59)
    assert guard.session_is_valid(second)
    clock.at = NOON + timedelta(hours=12, seconds=1)
    assert not guard.session_is_valid(second)


@pytest.mark.parametrize("cookie", ["", ".", "..", "99999999999.x.abc", "x.y.z", "\u00e9.\u00e9.\u00e9"])
def test_forged_session(guard: Guard, cookie: str) -> None:
    assert not guard.session_is_valid(cookie)


def test_session_cannot_be_prolonged(guard: Guard) -> None:
    ends, name, signature = guard.open_session().split(".")
    assert not guard.session_is_valid(f"{int(ends) + 1}.{name}.{signature}")


def test_session_of_other_tokens_is_refused(guard: Guard, clock: FixedClock) -> None:
    other = Guard(settings_with(admin="b" * 40), clock)
    assert not other.session_is_valid(guard.open_session())


@pytest.mark.parametrize(
    ("admin", "read", "named"),
    [
        (None, READ, "API_TOKEN not set"),
        (ADMIN, None, "API_READ_TOKEN not set"),
        (None, None, "API_TOKEN and API_READ_TOKEN not set"),
        (ADMIN, ADMIN, "are equal"),
    ],
)
def test_refuses_to_start(clock: FixedClock, admin: str | None, read: str | None, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Guard(settings_with(admin, read), clock)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ADMIN not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_weak_token_on_a_public_address(host: str) -> None:
    check_address(host, settings_with(host=host))
    with pytest.raises(SettingsError, match="fewer than 32 characters") as caught:
        check_address(host, settings_with(read="short"))
    assert "short" not in str(caught.value).replace("shorter", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_weak_token_on_loopback(host: str) -> None:
    check_address(host, settings_with(read="short"))


def test_weak_token_is_not_served_on_a_public_address_however_it_was_bound(clock: FixedClock) -> None:
    weak, strong = Guard(settings_with(read="short"), clock), Guard(settings_with(), clock)
    assert weak.may_serve({"server": ("127.0.0.1", 8001)})
    assert not weak.may_serve({"server": ("192.168.1.5", 8001)})
    assert not weak.may_serve({"server": None})
    assert strong.may_serve({"server": ("192.168.1.5", 8001)})
