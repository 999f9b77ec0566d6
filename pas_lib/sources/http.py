"""The one polite HTTP client.

Identifies itself, keeps to a rate per site, reuses connections, has a time-out for everything, retries what may pass
by itself with back-off and respects ``Retry-After``. A body that is not what the site promises (a challenge page with
status 200, a truncated answer) is asked for once more and then fails loudly.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from pyrate_limiter import InMemoryBucket, Limiter, Rate
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from pas_lib.errors import PayloadError, SettingsError, SourceError
from pas_lib.sources.base import Payload, Request, Source, excerpt

if TYPE_CHECKING:
    from pas_lib.settings import Settings

_SECRET = re.compile(
    r"^(api[-_]?key|key|token|apikey|access[-_]?token|crumb|secret|password|auth|signature|sig)$", re.I
)
#: Seconds a ``Retry-After`` is waited for; longer ones end the collection.
_PATIENCE = 120.0
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


def strip_credentials(url: str) -> str:
    """Return a URL without anything that could be a credential.

    User information and the query parameters that carry keys or tokens are dropped; the rest is unchanged.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = parts.query
    if query:
        kept = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if not _SECRET.match(k)]
        query = urlencode(kept, safe=":,^|")
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


@dataclass(frozen=True)
class Politeness:
    """How a site is treated.

    Parameters
    ----------
    per_second : float
        Requests a second.
    workers : int
        Requests at the same time.
    browser : bool
        The site refuses anything but a browser's User-Agent.
    timeout : float
        Seconds without an answer.
    contact : bool
        The site refuses callers that do not say how to reach them.
    """

    per_second: float = 2.0
    workers: int = 2
    browser: bool = False
    timeout: float = 30.0
    contact: bool = False


_SITES = {
    "yahoo": Politeness(per_second=2.0, workers=2, browser=True),
    "wikimedia": Politeness(per_second=3.0, workers=3, contact=True),
    "wikipedia": Politeness(per_second=1.0, workers=1),
    "ishares": Politeness(per_second=0.5, workers=1, browser=True, timeout=60.0),
    "fred": Politeness(per_second=1.6, workers=1),
    "fredgraph": Politeness(per_second=1.0, workers=1),
    "senate-lda": Politeness(per_second=0.25, workers=1, timeout=60.0),
    "usaspending": Politeness(per_second=1.0, workers=1, timeout=90.0),
    "quiver-api": Politeness(per_second=0.9, workers=1, browser=True, timeout=90.0),
    "quiver": Politeness(per_second=0.9, workers=1, browser=True, timeout=60.0),
    "apewisdom": Politeness(per_second=1.0, workers=1),
    "finviz": Politeness(per_second=0.5, workers=1, browser=True, timeout=60.0),
    # The limit of 10 a second holds for all hosts and processes of one address together.
    "sec": Politeness(per_second=8.0, workers=2, contact=True),
    "benzinga": Politeness(per_second=2.0, workers=1),
    "house-clerk": Politeness(per_second=1.0, workers=1, timeout=60.0),
    # Quick calls are answered with 503.
    "senate-efd": Politeness(per_second=0.5, workers=1, timeout=60.0),
    "benzinga-page": Politeness(per_second=0.2, workers=1, browser=True, timeout=60.0),
}
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


def politeness(site: str, settings: Settings) -> Politeness:
    """Return how a site is treated under the settings; the sandbox has a fast profile of its own."""
    real = _SITES.get(site, Politeness())
    if settings.sources == "sandbox":
        return Politeness(per_second=0.0, workers=4, browser=real.browser, timeout=settings.http_timeout_sec)
    patient = replace(real, timeout=max(real.timeout, settings.http_timeout_sec))
    return replace(patient, per_second=1.0 / settings.quiver_rate_sec) if site.startswith("quiver") else patient


def user_agent(site: str, manner: Politeness, settings: Settings) -> str:
    """Return how this caller identifies itself to a site.

    Raises
    ------
    SettingsError
        If the site wants to know how to reach the caller, and PAS_CONTACT does not say.
    """
    if manner.browser:
        return _BROWSER
    if manner.contact and not settings.contact:
        raise SettingsError(
            f"PAS_CONTACT is not set, and {site} refuses callers that do not say how to reach them",
            hint="set it to a mail address",
        )
    # The SEC's own example is a name and an address; forms with brackets are refused there.
    return (
        f"portfolio-allocation-system {settings.contact}" if site == "sec" and settings.contact else settings.user_agent
    )


class _Again(Exception):
    """An attempt failed in a way that may pass by itself."""

    def __init__(self, error: SourceError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait


class Client:
    """Fetches requests of one source.

    Parameters
    ----------
    source : Source
        The site module: it checks bodies and names following pages.
    settings : Settings
        Rates, time-outs, User-Agent.
    now : datetime
        Stamped on every payload as its fetch time.
    attempts : int
        Tries per request.
    tolerate : int
        So many requests of :meth:`fetch_all` may get no answer; they are told in ``failed``, and in ``left`` what was
        listed and not asked for. An answer that cannot be
        read is never tolerated.
    """

    def __init__(
        self, source: Source, settings: Settings, now: datetime, *, attempts: int = 4, tolerate: int = 0
    ) -> None:
        self.source = source
        self.settings = settings
        self.now = now
        self.attempts = attempts
        self.tolerate = tolerate
        self.failed: list[str] = []
        self.left: list[str] = []
        self.manner = politeness(source.site, settings)
        self.agent = user_agent(source.site, self.manner, settings)
        self.sandbox = settings.sources == "sandbox"
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._limiter: Limiter | None = None
        if self.manner.per_second > 0:
            interval = max(1, round(1000.0 / self.manner.per_second))
            self._limiter = Limiter(InMemoryBucket([Rate(1, interval)]))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.mount("http://", HTTPAdapter(pool_connections=2, pool_maxsize=2))
            session.mount("https://", HTTPAdapter(pool_connections=2, pool_maxsize=2))
            # Loopback needs no proxy, and looking for one costs more than the request.
            session.trust_env = not self.sandbox
            session.headers["User-Agent"] = self.agent
            self._local.session = session
            self._sessions.append(session)
        return session

    def fetch(self, request: Request) -> list[Payload]:
        """Return the answer to a request with all its following pages.

        Raises
        ------
        SourceError
            If the site does not answer properly.
        PayloadError
            If the answer is not what the site promises.
        """
        return list(self._pages(request))

    def _pages(self, request: Request) -> Iterator[Payload]:
        following: Request | None = request
        count = 0
        while following is not None:
            asked = following
            page = self._retrying(asked)
            yield page
            if left := self.source.leaves(asked, page):
                self.left.append(left)
            for further in self.source.expand(asked, page):
                yield self._retrying(further)
                count += 1
            following = self.source.follow(asked, page)
            count += 1
            if count > 10_000:
                raise SourceError(f"{self.source.name}: paging does not end at {page.url}")

    def look_up(self, request: Request) -> Payload:
        """Return the answer to one request, without following pages."""
        return self._retrying(request)

    def fetch_all(self, asked: Iterable[Request]) -> Iterator[list[Payload]]:
        """Yield the answers to many requests in their order, a few at the same time.

        Only a small window of answers is held in memory.
        """
        if self.manner.workers == 1:
            for request in asked:
                if self.tolerate:
                    yield self._fetch_or_note(request)
                else:
                    # A list may name many documents: none waits for the others.
                    yield from ([page] for page in self._pages(request))
            return
        with ThreadPoolExecutor(self.manner.workers, thread_name_prefix="fetch") as pool:
            waiting: deque[Future[list[Payload]]] = deque()
            try:
                for request in asked:
                    waiting.append(pool.submit(self._fetch_or_note, request))
                    if len(waiting) >= 4 * self.manner.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _fetch_or_note(self, request: Request) -> list[Payload]:
        try:
            return self.fetch(request)
        except PayloadError:
            raise
        except SourceError as error:
            self.failed.append(str(error))
            if len(self.failed) > self.tolerate:
                raise
            return []

    def _retrying(self, request: Request) -> Payload:
        retrying = Retrying(
            stop=stop_after_attempt(self.attempts),
            retry=retry_if_exception_type(_Again),
            wait=self._wait,
            reraise=True,
        )
        bodies = 0

        def attempt() -> Payload:
            nonlocal bodies
            try:
                return self._once(request)
            except PayloadError as error:
                bodies += 1
                if bodies >= 2:
                    raise
                raise _Again(error) from None

        try:
            return retrying(attempt)
        except _Again as failure:
            raise failure.error from None

    def _wait(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.wait if isinstance(failure, _Again) else None
        base = 0.05 if self.sandbox else 1.5
        backoff = base * 2.0 ** (state.attempt_number - 1)
        return max(asked or 0.0, min(backoff, _PATIENCE))

    def _once(self, request: Request) -> Payload:
        if self._limiter is not None:
            self._limiter.try_acquire(self.source.site)
        shown = strip_credentials(f"{request.url}?{urlencode(dict(request.params))}" if request.params else request.url)
        site = self.source.name
        admission = self._admission() if self.source.signs_in else {}
        try:
            answer = self._session().request(
                "GET" if request.json is None else "POST",
                request.url,
                params={**request.params, **admission},
                json=request.json,
                headers=dict(request.headers),
                timeout=(10.0, self.manner.timeout),
            )
        except requests.Timeout:
            raise _Again(SourceError(f"{site}: no answer within {self.manner.timeout:g} s from {shown}")) from None
        except requests.RequestException as error:
            raise _Again(SourceError(f"{site}: {_reason(error)} at {shown}")) from None
        payload = Payload(
            source=site,
            dataset=request.dataset,
            label=request.label,
            url=shown,
            status=answer.status_code,
            content_type=answer.headers.get("content-type", ""),
            fetched_at=self.now,
            context=dict(request.context),
            body=answer.content,
        )
        if answer.status_code in _RETRYABLE:
            wait = _retry_after(answer, self.now)
            if wait is not None and wait > _PATIENCE:
                raise SourceError(f"{_status_error(payload, request)}", hint=f"the site asks to wait {wait:.0f} s")
            raise _Again(_status_error(payload, request), wait)
        if answer.status_code == 401 and self.source.signs_in:
            # The admission has run out: once more with a new one, then it is an error.
            renewed = getattr(self._local, "renewed", False)
            self._local.admission, self._local.renewed = None, not renewed
            self._session().cookies.clear()
            if not renewed:
                return self._once(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if answer.status_code == 401 and scheme == "Bearer":
            # Some accounts of sites that document "Bearer" are only known under "Token".
            return self._once(replace(request, headers={**request.headers, "Authorization": f"Token {token}"}))
        if answer.status_code != 200 and answer.status_code not in self.source.accepts:
            raise _status_error(payload, request)
        self.source.check(payload)
        self._local.renewed = False
        return payload

    def _admission(self) -> Mapping[str, str]:
        """Return what the source's sign-in gave this thread's session."""
        known: Mapping[str, str] | None = getattr(self._local, "admission", None)
        if known is None:
            known = self.source.sign_in(self._plain_get, self.settings)
            self._local.admission = known
        return known

    def _plain_get(self, url: str, *, any_status: bool = False) -> tuple[int, bytes]:
        if self._limiter is not None:
            self._limiter.try_acquire(self.source.site)
        try:
            answer = self._session().get(url, timeout=(10.0, self.manner.timeout))
        except requests.Timeout:
            raise _Again(
                SourceError(f"{self.source.name}: no answer within {self.manner.timeout:g} s from {url}")
            ) from None
        except requests.RequestException as error:
            raise _Again(SourceError(f"{self.source.name}: {_reason(error)} at {url}")) from None
        if answer.status_code in _RETRYABLE and not any_status:
            said = excerpt(answer.content)
            refusal = f"{self.source.name}: HTTP {answer.status_code} from {url}{f': {said}' if said else ''}"
            raise _Again(SourceError(refusal), _retry_after(answer, self.now))
        return answer.status_code, answer.content


def _secrets(request: Request) -> list[str]:
    found = [value for name, value in request.params.items() if _SECRET.match(name)]
    return found + [value.split(" ")[-1] for name, value in request.headers.items() if name == "Authorization"]


def _status_error(payload: Payload, request: Request) -> SourceError:
    detail = excerpt(payload.body, 160)
    for secret in _secrets(request):
        detail = detail.replace(secret, "***") if secret else detail
    said = f": {detail}" if detail and not detail.startswith("<") else ""
    return SourceError(f"{payload.source}: HTTP {payload.status} from {payload.url}{said}")


def _reason(error: Exception) -> str:
    # The texts of these exceptions hold the full address with its key: only their kind is told.
    kinds = {
        "ConnectionError": "connection failed",
        "ChunkedEncodingError": "answer was cut off",
        "ContentDecodingError": "answer could not be decoded",
    }
    return kinds.get(type(error).__name__, type(error).__name__)


def _retry_after(answer: Any, now: datetime) -> float | None:
    value = answer.headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, float((parsedate_to_datetime(value) - now).total_seconds()))
    except (TypeError, ValueError):
        return None
