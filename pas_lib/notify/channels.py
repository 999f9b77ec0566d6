"""Sending a message to the channels, through Apprise: one address for each of them, whatever the service."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pas_lib.settings import Settings

log = logging.getLogger(__name__)

#: Longest body; channels cut differently, and nobody reads more.
LONGEST_BODY = 3500


@dataclass(frozen=True)
class Message:
    """What is said.

    Attributes
    ----------
    event
        plan, approval, fills, state, reconciliation, alert, stale or task_failed.
    key
        Says which fact it is about; the same key is not told twice.
    title, body
        Plain text.
    """

    event: str
    key: str
    title: str
    body: str


@dataclass(frozen=True)
class Delivery:
    """What became of one channel: its place in the setting, the scheme of its address, and why it failed if it did."""

    number: int
    scheme: str
    problem: str = ""

    def __str__(self) -> str:
        return f"channel {self.number} ({self.scheme}): {self.problem or 'sent'}"


def addresses(settings: Settings) -> list[str]:
    """Return the channels' addresses, separated by blanks, commas before an address, or line ends. Secret."""
    if settings.notify_urls is None:
        return []
    return [part for part in re.split(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)|\s+", _text(settings)) if part]


def _text(settings: Settings) -> str:
    return settings.notify_urls.get_secret_value().strip().rstrip(",") if settings.notify_urls else ""


def send(message: Message, settings: Settings, *, seconds: float | None = None) -> tuple[Delivery, ...]:
    """Say a message on every channel at once.

    Parameters
    ----------
    message
        What is said.
    settings
        ``notify_urls`` and ``notify_timeout_sec``.
    seconds
        Longest wait; the setting's by default. A channel that takes longer is left behind and counts as failed.

    Returns
    -------
    tuple of Delivery
        One for each channel; empty without channels. Nothing is ever raised, and no part of an address but its scheme
        is told or logged: the rest holds its secrets.
    """
    urls = addresses(settings)
    if not urls:
        return ()
    wait = settings.notify_timeout_sec if seconds is None else seconds
    problems: list[str | None] = [None] * len(urls)
    threads = [
        # Daemons: a channel that hangs does not keep the program from ending.
        threading.Thread(target=_speak, args=(url, message, problems, n), name=f"notify-{n + 1}", daemon=True)
        for n, url in enumerate(urls)
    ]
    end = time.monotonic() + max(wait, 0.0)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0.0))
    done = list(problems)
    deliveries = tuple(
        Delivery(n + 1, _scheme(url), f"no answer within {wait:g} s" if (told := done[n]) is None else told)
        for n, url in enumerate(urls)
    )
    for one in deliveries:
        if one.problem:
            log.warning("notification %s not delivered: %s", message.key, one)
    return deliveries


def _speak(url: str, message: Message, problems: list[str | None], n: int) -> None:
    try:
        problems[n] = _told(url, message)
    except Exception as error:
        problems[n] = f"failed with {type(error).__name__}"


def _told(url: str, message: Message) -> str:
    import apprise

    _silence()
    channel = apprise.Apprise()
    if not channel.add(url):
        return "the address is not understood"
    taken = channel.notify(title=message.title, body=message.body[:LONGEST_BODY])
    return "" if taken else "refused or not reached"


def _silence() -> None:
    """Keep Apprise's own log quiet: it names addresses."""
    its = logging.getLogger("apprise")
    its.propagate = False
    its.setLevel(logging.CRITICAL + 1)
    if not its.handlers:
        its.addHandler(logging.NullHandler())


def _scheme(url: str) -> str:
    scheme, found, _ = url.partition("://")
    return scheme.lower() if found and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,20}", scheme) else "unknown"


def summary(deliveries: Sequence[Delivery]) -> str:
    """Return what became of a message in one line."""
    return "; ".join(str(one) for one in deliveries)
