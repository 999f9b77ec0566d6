"""Which sources a dataset is collected from, which of them are read, and who must be told how to reach us."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pas_lib.datasets import catalogue, dataset
from pas_lib.dbt import Dbt
from pas_lib.errors import SettingsError
from pas_lib.settings import Settings, load_settings
from pas_lib.sources import Ask, Request, source, usable_sources
from pas_lib.sources.http import Client
from pas_lib.sources.registry import read_sources

NOW = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
CANARY = "canary0123456789"
KEYS = {name: CANARY for name in ("FRED_API_KEY", "QUIVER_API_KEY", "BENZINGA_API_KEY", "ALPACA_API_KEY")}
#: Datasets that no site gives away without a key, beside those that only a subscriber's page shows.
SUBSCRIBED_ONLY = {"google_trends", "dc_insider_scores", "app_reviews"}


def settings_for(root: Path, sources: str, **more: str) -> Settings:
    return load_settings({"PAS_HOME": str(root), "PAS_SOURCES": sources, **more}, root=root)


def plan(name: str, settings: Settings) -> Iterator[tuple[str, Request]]:
    """What a first collection would ask."""
    ask = Ask(name, settings, NOW, date(2026, 1, 20), ("AAPL", "MSFT"), end=date(2026, 1, 30))
    for site in usable_sources(dataset(name), settings):
        for request in site.requests(ask):
            yield site.name, request


@pytest.mark.parametrize("name", sorted(set(catalogue()) - SUBSCRIBED_ONLY))
def test_without_a_subscription_only_sites_that_need_no_key_are_asked(name: str, tmp_path: Path) -> None:
    here = settings_for(tmp_path, "public", PAS_CONTACT="me@fund.example", **KEYS)
    used = usable_sources(dataset(name), here)
    if not used and name == "politician_trades":
        pytest.skip("no public source is in the catalogue")
    assert used
    assert all(site.key_setting is None for site in used)
    asked = list(plan(dataset(name).leader or name, here))
    assert asked
    for _, request in asked:
        assert "quiver" not in request.url
        said = f"{request.url} {dict(request.params)} {dict(request.headers)} {request.json}"
        assert CANARY not in said
    # A site that is read from the package has no address.
    assert {urlsplit(r.url).scheme for _, r in asked} <= {"https", "package"}


def test_what_only_subscribers_get_has_no_source_without_a_subscription(tmp_path: Path) -> None:
    here = settings_for(tmp_path, "public")
    without = {name for name in catalogue() if not usable_sources(dataset(name), here)}
    assert without - {"politician_trades"} == SUBSCRIBED_ONLY


def test_a_setting_names_other_sources_and_they_are_the_ones_read(tmp_path: Path) -> None:
    usual = read_sources(settings_for(tmp_path, "sandbox"))
    assert usual["macro_series"] == ["fred"]
    assert usual["lobbying"] == ["quiver_api"]
    assert usual["universe"] == usual["securities"] == ["wikipedia", "ishares", "package"]
    chosen = "macro_series = fredgraph, lobbying=senate_lda+quiver_page, universe=wikipedia"
    here = settings_for(tmp_path, "sandbox", PAS_DATASET_SOURCES=chosen)
    read = read_sources(here)
    assert read["macro_series"] == ["fredgraph"]
    assert read["lobbying"] == ["senate_lda", "quiver_page"]
    assert read["securities"] == ["wikipedia"]
    assert [site.name for site in usable_sources(dataset("lobbying"), here)] == ["senate_lda", "quiver_page"]
    assert {
        name: read[name] for name in read if name not in ("macro_series", "lobbying", "universe", "securities")
    } == {name: usual[name] for name in usual if name not in ("macro_series", "lobbying", "universe", "securities")}
    assert Dbt.from_settings(here.model_copy(update={"database_url": "postgresql:///x"})).read_sources == read


@pytest.mark.parametrize(
    ("value", "sources", "said"),
    [
        ("lobbying=benzinga", "sandbox", r"'benzinga' is no source of lobbying \(known: quiver_api"),
        ("lobbying", "sandbox", r"PAS_DATASET_SOURCES: 'lobbying' is not dataset=source"),
        ("macro_series=fred", "subscribed", "fred cannot be used for macro_series: FRED_API_KEY is not set"),
        ("macro_series=fred", "public", "it is not part of PAS_SOURCES=public"),
    ],
)
def test_a_choice_that_cannot_be_is_one_line(value: str, sources: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        read_sources(settings_for(tmp_path, sources, PAS_DATASET_SOURCES=value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["sec_edgar", "wikimedia"])
def test_sites_that_want_to_know_who_asks_are_not_asked_without_a_contact(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PAS_CONTACT is not set") as caught:
        Client(source(name), settings_for(tmp_path, "public"), NOW)
    assert "\n" not in str(caught.value)
    with Client(source(name), settings_for(tmp_path, "public", PAS_CONTACT="me@fund.example"), NOW) as client:
        assert "me@fund.example" in client.agent
        assert "example.org" not in client.agent
    with Client(source(name), settings_for(tmp_path, "sandbox"), NOW) as client:
        assert "sandbox@localhost" in client.agent


def test_the_sec_is_told_a_name_and_an_address_without_brackets(tmp_path: Path) -> None:
    with Client(source("sec_edgar"), settings_for(tmp_path, "public", PAS_CONTACT="me@fund.example"), NOW) as client:
        assert client.agent == "portfolio-allocation-system me@fund.example"
