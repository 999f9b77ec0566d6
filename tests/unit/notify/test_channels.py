"""Messages go out over real HTTP; whatever a channel does, nothing is raised and no secret is told."""

from __future__ import annotations

import logging

import pytest
from pydantic import SecretStr

from pas_lib.notify import Message, send
from pas_lib.notify.channels import addresses
from pas_lib.settings import Settings
from tests.support.receiver import hang, nobody, receive

MESSAGE = Message("plan", "plan:1", "Plan of 2026-01-30", "3 buys")


def with_urls(settings: Settings, *urls: str) -> Settings:
    return settings.model_copy(update={"notify_urls": SecretStr(" ".join(urls)), "notify_timeout_sec": 20.0})


def test_every_channel_hears_it(settings: Settings) -> None:
    with receive() as one, receive() as two:
        told = send(MESSAGE, with_urls(settings, one.url, two.url))
        assert [str(each) for each in told] == ["channel 1 (json): sent", "channel 2 (json): sent"]
        for receiver in (one, two):
            assert [(got["title"], got["message"]) for got in receiver.got] == [("Plan of 2026-01-30", "3 buys")]


def test_a_channel_that_fails_is_named_by_number_and_scheme_only(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with receive() as good, receive(status=500) as bad:
        urls = (nobody(), bad.url, "nonsense://canary-secret", "canary-secret", good.url)
        told = send(MESSAGE, with_urls(settings, *urls))
        assert [one.problem for one in told] == [
            "refused or not reached",
            "refused or not reached",
            "the address is not understood",
            "the address is not understood",
            "",
        ]
        assert [one.scheme for one in told] == ["json", "json", "nonsense", "unknown", "json"]
        assert good.titles == ["Plan of 2026-01-30"]
    assert "not delivered" in caplog.text
    assert "canary-secret" not in caplog.text + " ".join(str(one) for one in told)


def test_a_channel_that_hangs_is_left_behind(settings: Settings) -> None:
    with hang() as silent:
        (told,) = send(MESSAGE, with_urls(settings, silent), seconds=0.2)
        assert told.problem == "no answer within 0.2 s"


def test_no_address_no_message(settings: Settings) -> None:
    assert send(MESSAGE, settings) == ()
    listed = settings.model_copy(
        update={"notify_urls": SecretStr("slack://a/b/c, mailto://u:p@h?to=x@y,z@y\njson://h")}
    )
    assert addresses(listed) == ["slack://a/b/c", "mailto://u:p@h?to=x@y,z@y", "json://h"]
    assert "canary" not in repr(settings.model_copy(update={"notify_urls": SecretStr("json://canary")}))
