"""The one polite HTTP client.

Identifies itself, keeps to a rate per site, reuses connections, has a time-out for everything, retries what may pass
by itself with back-off and respects ``Retry-After``. A body that is not what the site promises (a challenge page with
status 200, a truncated answer) is asked for once more and then fails loudly.

What was asked before is asked conditionally, where the site gave a validator: a :class:`Memory` knows the validators
and where the bytes of then lie. Libraries for this (requests-cache, CacheControl, hishel) keep bodies in a store of
their own, which none puts into PostgreSQL; here the bytes are in the landing anyway.
"""

from __future__ import annotations

import hashlib
import queue
import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import groupby
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from pas_lib.errors import PayloadError, SettingsError, SourceError
from pas_lib.sources.base import Payload, Request, Source, excerpt
from pas_lib.sources.pace import limiter

if TYPE_CHECKING:
    from pyrate_limiter import Limiter

    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse

_SECRET = re.compile(
    r"^(api[-_]?key|key|token|apikey|access[-_]?token|crumb|secret|password|auth|signature|sig)$", re.I
)
_SECRET_HEADER = re.compile(r"authorization|key|secret|token", re.I)
#: Seconds a ``Retry-After`` is waited for; longer ones end the collection.
_PATIENCE = 120.0
#: Pages of one request that wait to be landed.
_LANE_PAGES = 8
#: Bytes of one answer. With what reading it takes, this is what the memory of one collection allows.
_LARGEST = 192 << 20
#: Longer bodies are not read in pieces.
_LONG = 16 << 20
#: A whole body may take so many time-outs.
_SLOWEST = 20
#: A list that shifts while it is read is read so often.
_READINGS = 3
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


def request_key(request: Request) -> str:
    """Return the identity of a question: a hash of method, address without credentials, and body."""
    query = f"?{urlencode(sorted(request.params.items()))}" if request.params else ""
    asked = request.json if request.json is not None else request.form
    body = b"" if asked is None else orjson.dumps(dict(asked), option=orjson.OPT_SORT_KEYS)
    text = f"{'GET' if asked is None else 'POST'} {strip_credentials(request.url + query)}\n".encode()
    return hashlib.sha256(text + body).hexdigest()[:32]


@dataclass(frozen=True)
class Known:
    """What is known of an earlier answer.

    Parameters
    ----------
    etag, last_modified : str
        Its validators; empty where the site sent none.
    path : str
        Where its bytes lie in the landing.
    sha256 : str
        Of its bytes.
    """

    etag: str
    last_modified: str
    path: str
    sha256: str


class Memory(Protocol):
    """What a client remembers beyond its own life."""

    def answered(self, key: str) -> Payload | None:
        """Return the answer this very collection has landed already, before it was interrupted."""

    def known(self, key: str) -> Known | None:
        """Return what is known of an earlier collection's answer, if the site may be asked whether it changed."""

    def earlier(self, known: Known) -> Payload | None:
        """Return an earlier answer from the landing; None where it is gone or damaged."""


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
    # 200 a minute for the account, orders included.
    "alpaca-data": Politeness(per_second=2.0, workers=1, timeout=60.0),
    "benzinga": Politeness(per_second=2.0, workers=1),
    "house-clerk": Politeness(per_second=1.0, workers=1, timeout=60.0),
    # Quick calls are answered with 503.
    "senate-efd": Politeness(per_second=0.5, workers=1, timeout=60.0),
    "benzinga-page": Politeness(per_second=0.2, workers=1, browser=True, timeout=60.0),
}
_NAME = "portfolio-allocation-system"
#: The stand-ins want a contact like the real sites, and have nobody to tell.
_SANDBOX_CONTACT = "sandbox@localhost"
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
    contact = settings.contact or (_SANDBOX_CONTACT if settings.sources == "sandbox" else None)
    if manner.contact and contact is None:
        raise SettingsError(
            f"PAS_CONTACT is not set, and {site} refuses callers that do not say how to reach them",
            hint="set it to a mail address",
        )
    # The SEC's own example is a name and an address; forms with brackets are refused there.
    return f"{_NAME} {contact}" if site == "sec" else f"{_NAME}/0.1 ({contact})" if contact else f"{_NAME}/0.1"


class _Again(Exception):
    """An attempt failed in a way that may pass by itself."""

    def __init__(self, error: SourceError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait


class _ListRead:
    """The pages of a list whose rows have no ids, as they are read: which of them have to be looked at once more."""

    def __init__(self) -> None:
        self.doubtful: list[tuple[Request, Sequence[bytes]]] = []
        self._first: tuple[Request, Sequence[bytes]] | None = None
        self._before: tuple[Request, Sequence[bytes]] | None = None

    def add(self, asked: Request, rows: Sequence[bytes] | None) -> None:
        """Take the next page."""
        if rows is None:
            return
        page = (asked, rows)
        if self._before is None:
            self._first = page
        elif self._first is not None and not self.doubtful:
            self.doubtful.append(self._first)
        if self._before is not None and self._before is not self._first and _goes_on(self._before[1], rows):
            self.doubtful.append(self._before)
        self._before = page


def _goes_on(before: Sequence[bytes], rows: Sequence[bytes]) -> bool:
    """Return whether a page begins as the one before ends."""
    starts = [at for at, row in enumerate(before) if rows and row == rows[0]]
    return any(list(before[at:]) == list(rows[: len(before) - at]) for at in starts)


class Client:
    """Fetches requests of one source.

    Parameters
    ----------
    source : Source
        The site module: it checks bodies and names following pages.
    settings : Settings
        Rates, time-outs, User-Agent.
    now : datetime
        The time when it begins: payloads are stamped with it, those of a collection that takes long with the minutes
        that have passed since, too. The sandbox' time stands still meanwhile.
    attempts : int
        Tries per request.
    tolerate : int
        So many requests of :meth:`pages` may get no answer; they are told in ``failed``, and in ``left`` what was
        listed and not asked for. An answer that cannot be read is never tolerated.
    memory : Memory, optional
        Earlier answers; without it every question is asked plainly.
    shared : Warehouse, optional
        Where workers on other machines keep to the same rate; without it the processes of this one do.
    """

    def __init__(
        self,
        source: Source,
        settings: Settings,
        now: datetime,
        *,
        attempts: int = 4,
        tolerate: int = 0,
        memory: Memory | None = None,
        shared: Warehouse | None = None,
    ) -> None:
        self.source = source
        self.settings = settings
        self.now = now
        self.attempts = attempts
        self.tolerate = tolerate
        self.failed: list[str] = []
        self.left: list[str] = []
        self.memory = memory
        self.manner = politeness(source.site, settings)
        self.agent = user_agent(source.site, self.manner, settings)
        self.sandbox = settings.sources == "sandbox"
        self._began = monotonic()
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._limiter: Limiter | None = None
        if self.manner.per_second > 0:
            self._limiter = limiter(source.site, self.manner.per_second, settings.home / "pace", shared)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()
        if self._limiter is not None:
            self._limiter.close()

    def fetched_at(self) -> datetime:
        """Return the time of an answer that comes now, to the minute."""
        return self.now if self.sandbox else self.now + timedelta(minutes=(monotonic() - self._began) // 60)

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

    def stream(self, request: Request) -> Iterator[Payload]:
        """Yield the answer to a request and all its following pages, one at a time.

        Raises
        ------
        SourceError
            If the site does not answer properly.
        PayloadError
            If the answer is not what the site promises.
        """
        for reading in range(_READINGS):
            pages = _ListRead()
            for number, page in enumerate(self._stream(request, pages, again=reading > 0)):
                yield replace(page, anew=reading > 0 and number == 0)
            if all(self._says_the_same(asked, rows) for asked, rows in pages.doubtful):
                return
        where = strip_credentials(request.url)
        raise SourceError(f"{self.source.name}: the list changed whenever it was read, {_READINGS} times, at {where}")

    def _says_the_same(self, asked: Request, rows: Sequence[bytes]) -> bool:
        """Return whether a page that was read says the same now."""
        return self.source.rows_of(asked, self._retrying(asked, again=True)) == rows

    def _stream(self, request: Request, pages: _ListRead, *, again: bool) -> Iterator[Payload]:
        following: Request | None = request
        count = 0
        before = b""
        while following is not None:
            asked = following
            page = self._retrying(asked, again=again)
            said = hashlib.sha256(page.body).digest()
            if said == before:
                raise SourceError(f"{self.source.name}: the page before came once more at {page.url}")
            before = said
            pages.add(asked, self.source.rows_of(asked, page))
            yield page
            if left := self.source.leaves(asked, page):
                self.left.append(left)
            count += 1
            for further in self.source.expand(asked, page):
                yield self._retrying(further)
                count += 1
            following = self.source.follow(asked, page)
            if count > 10_000:
                raise SourceError(f"{self.source.name}: paging does not end at {page.url}")

    def look_up(self, request: Request) -> Payload:
        """Return the answer to one request, without following pages."""
        return self._retrying(request)

    def fetch(self, request: Request) -> list[Payload]:
        """Return the answer to a request with all its following pages."""
        return list(self.stream(request))

    def pages(self, asked: Iterable[Request]) -> Iterator[tuple[int, Payload]]:
        """Yield every page of every request with the request's number, in order; a few are asked at the same time.

        Only a small window of pages is held in memory, however many a request has.
        """
        if self.manner.workers == 1:
            for number, request in enumerate(asked):
                for page in self._stream_or_note(request):
                    yield number, page
            return
        stop = threading.Event()
        with ThreadPoolExecutor(self.manner.workers, thread_name_prefix="fetch") as pool:
            lanes: deque[tuple[int, queue.Queue[Any]]] = deque()
            try:
                for number, request in enumerate(asked):
                    lane: queue.Queue[Any] = queue.Queue(_LANE_PAGES)
                    lanes.append((number, lane))
                    pool.submit(self._fill, request, lane, stop)
                    if len(lanes) >= 4 * self.manner.workers:
                        yield from _drained(*lanes.popleft())
                while lanes:
                    yield from _drained(*lanes.popleft())
            finally:
                stop.set()

    def fetch_all(self, asked: Iterable[Request]) -> Iterator[list[Payload]]:
        """Yield the pages of each request that has any, in their order."""
        for _, pages in groupby(self.pages(asked), key=lambda entry: entry[0]):
            yield [page for _, page in pages]

    def _fill(self, request: Request, lane: queue.Queue[Any], stop: threading.Event) -> None:
        """Put a request's pages into its lane, as fast as they are taken out of it."""
        try:
            for page in () if stop.is_set() else self._stream_or_note(request):
                if not _put(lane, page, stop):
                    return
            _put(lane, None, stop)
        except BaseException as error:
            _put(lane, error, stop)

    def _stream_or_note(self, request: Request) -> Iterable[Payload]:
        """Return a request's pages; where failures are tolerated all of them or none."""
        if not self.tolerate:
            return self.stream(request)
        try:
            return self.fetch(request)
        except PayloadError:
            raise
        except SourceError as error:
            self.failed.append(str(error))
            if len(self.failed) > self.tolerate:
                raise
            return ()

    def _retrying(self, request: Request, *, again: bool = False) -> Payload:
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
                return self._once(request, plainly=again)
            except PayloadError as error:
                bodies += 1
                if bodies >= 2:
                    raise
                raise _Again(error) from None

        already = self.memory.answered(request_key(request)) if self.memory is not None and not again else None
        if already is not None:
            return already
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

    def _once(self, request: Request, *, plainly: bool = False) -> Payload:
        if self._limiter is not None:
            self._limiter.try_acquire(self.source.site)
        shown = strip_credentials(f"{request.url}?{urlencode(dict(request.params))}" if request.params else request.url)
        site = self.source.name
        key = request_key(request)
        posts = request.json is not None or request.form is not None
        known = self.memory.known(key) if self.memory is not None and not posts and not plainly else None
        conditions = _conditions(known)
        admission = self._admission() if self.source.signs_in else {}
        by_headers = self.source.admitted_by == "headers"
        try:
            answer = self._session().request(
                "POST" if posts else "GET",
                request.url,
                params={**request.params, **({} if by_headers else admission)},
                json=request.json,
                data=request.form,
                headers={**request.headers, **conditions, **(admission if by_headers else {})},
                timeout=(10.0, self.manner.timeout),
                stream=True,
            )
            body = _body(answer, _SLOWEST * self.manner.timeout)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise _Again(SourceError(f"{site}: no answer within {self.manner.timeout:g} s from {shown}")) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _Again(SourceError(f"{site}: {_reason(error)} at {shown}")) from None
        if body is None:
            raise SourceError(f"{site}: more than {_LARGEST >> 20} MB came at once from {shown}")
        if answer.status_code == 304 and known is not None and conditions and self.memory is not None:
            earlier = self.memory.earlier(known)
            if earlier is None:
                return self._once(request, plainly=True)
            return replace(
                earlier,
                dataset=request.dataset,
                label=request.label,
                fetched_at=self.fetched_at(),
                context=dict(request.context),
                key=key,
                etag=answer.headers.get("etag", known.etag),
                last_modified=answer.headers.get("last-modified", known.last_modified),
                landed=known.path,
                unchanged=True,
            )
        payload = Payload(
            source=site,
            dataset=request.dataset,
            label=request.label,
            url=shown,
            status=answer.status_code,
            content_type=answer.headers.get("content-type", ""),
            fetched_at=self.fetched_at(),
            context=dict(request.context),
            body=body,
            key=key,
            etag=answer.headers.get("etag", "") if answer.status_code == 200 else "",
            last_modified=answer.headers.get("last-modified", "") if answer.status_code == 200 else "",
        )
        if answer.status_code in _RETRYABLE:
            wait = _retry_after(answer, self.now)
            if wait is not None and wait > _PATIENCE:
                refusal = SourceError(f"{_status_error(payload, request)}", hint=f"the site asks to wait {wait:.0f} s")
                refusal.retry_after = wait
                raise refusal
            raise _Again(_status_error(payload, request), wait)
        if self.source.signs_in and (answer.status_code == 401 or self.source.session_over(payload)):
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
        try:
            self.source.check(payload)
        except PayloadError as error:
            error.payload = payload
            raise
        self._local.renewed = False
        return payload

    def _admission(self) -> Mapping[str, str]:
        """Return what the source's sign-in gave this thread's session."""
        known: Mapping[str, str] | None = getattr(self._local, "admission", None)
        if known is None:
            known = self.source.sign_in(self._plain_get, self.settings)
            self._local.admission = known
        return known

    def _plain_get(
        self,
        url: str,
        *,
        any_status: bool = False,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        if self._limiter is not None:
            self._limiter.try_acquire(self.source.site)
        try:
            answer = self._session().request(
                "GET" if form is None else "POST", url, data=form, headers=headers, timeout=(10.0, self.manner.timeout)
            )
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


def _body(answer: requests.Response, patience: float) -> bytes | None:
    """Return the body; None for one that is too long to be held.

    A long one is read at once, so that it is held once. The others come in pieces, because a site that drips its bytes
    never lets the time-out of a single read pass.
    """
    try:
        length = int(answer.headers.get("content-length") or 0)
        if length > _LARGEST:
            return None
        if length > _LONG:
            whole: bytes = answer.raw.read(decode_content=True)
            return whole if len(whole) <= _LARGEST else None
        until, pieces, size = monotonic() + patience, [], 0
        while piece := answer.raw.read1(1 << 16, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > _LARGEST:
                return None
            if monotonic() > until:
                raise requests.Timeout
        return b"".join(pieces)
    finally:
        answer.close()


def _conditions(known: Known | None) -> dict[str, str]:
    """Return the headers that ask whether an answer has changed; the stronger validator alone where there is one."""
    if known is None:
        return {}
    if known.etag:
        return {"If-None-Match": known.etag}
    return {"If-Modified-Since": known.last_modified} if known.last_modified else {}


def _put(lane: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    """Put an item into a lane, waiting for room; False when nobody wants it any more."""
    while not stop.is_set():
        try:
            lane.put(item, timeout=0.05)
        except queue.Full:
            continue
        return True
    return False


def _drained(number: int, lane: queue.Queue[Any]) -> Iterator[tuple[int, Payload]]:
    while (item := lane.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield number, item


def _secrets(request: Request) -> list[str]:
    found = [value for name, value in request.params.items() if _SECRET.match(name)]
    return found + [value.split(" ")[-1] for name, value in request.headers.items() if _SECRET_HEADER.search(name)]


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
        "ProtocolError": "answer was cut off",
        "IncompleteRead": "answer was cut off",
        "DecodeError": "answer could not be decoded",
    }
    return kinds.get(type(error).__name__, type(error).__name__)


def _retry_after(answer: Any, now: datetime) -> float | None:
    """Return the seconds a site asks to wait, stated as such or as a date; a date counts from the answer's own."""
    value = answer.headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    try:
        sent = parsedate_to_datetime(answer.headers.get("date", ""))
    except (TypeError, ValueError):
        sent = now
    try:
        return max(0.0, float((until - sent).total_seconds()))
    except TypeError:
        return None
