"""What every site module speaks: requests, payloads, parsed batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from pas_lib.errors import PayloadError

if TYPE_CHECKING:
    import pyarrow as pa

    from pas_lib.settings import Settings

#: Fetch time of a payload whose time of fetching nobody noted.
UNKNOWN_TIME = datetime(1, 1, 1, tzinfo=UTC)
#: Why a document that a list names is refused when its site does not have it (yet).
NOT_THERE = "the index names it, but there is no such file"


@dataclass(frozen=True)
class Request:
    """One question to a site.

    Parameters
    ----------
    source : str
        Name of the source module.
    dataset : str
        What it is asked for.
    label : str
        What this question is about (a symbol, a title, a series); names the landing file.
    url : str
        Address without query.
    params : Mapping[str, str]
        Query. May hold credentials: it is only ever stored stripped.
    headers : Mapping[str, str]
        Extra headers. Never stored.
    context : Mapping[str, str]
        What the parser needs to know and the payload does not say. Stored.
    json : Mapping[str, Any], optional
        Sent as the body of a POST.
    form : Mapping[str, str], optional
        Sent as the fields of a form, by POST.
    skip : frozenset of str
        Names of documents that are loaded already (:func:`document_name`): what the answer lists under them is not
        asked for. Never stored.
    """

    source: str
    dataset: str
    label: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    skip: frozenset[str] = frozenset()

    def with_params(self, **params: str) -> Request:
        """Return the same question with other query parameters."""
        return replace(self, params={**self.params, **params})


@dataclass(frozen=True)
class Payload:
    """An answer as received.

    Parameters
    ----------
    source, dataset, label : str
        From the request.
    url : str
        Full address without credentials.
    status : int
        HTTP status.
    content_type : str
        As sent.
    fetched_at : datetime
        By the injected clock.
    context : Mapping[str, str]
        From the request.
    body : bytes
        The bytes (content encoding undone).
    key : str
        Identity of the question: method, address without credentials, body. Empty where nobody asked a site.
    etag, last_modified : str
        Validators the site sent, for the next time it is asked.
    landed : str
        Where the bytes lie in the landing already; empty for bytes that have just come.
    unchanged : bool
        The site said that nothing has changed since these bytes were fetched.
    anew : bool
        The first page of a list that is read once more, because it shifted: its pages before are void.
    """

    source: str
    dataset: str
    label: str
    url: str
    status: int
    content_type: str
    fetched_at: datetime
    context: Mapping[str, str]
    body: bytes
    key: str = ""
    etag: str = ""
    last_modified: str = ""
    landed: str = ""
    unchanged: bool = False
    anew: bool = False

    def error(self, what: str, *, field_name: str = "") -> PayloadError:
        """Return a one-line error that names the site, the address and, if given, the field."""
        where = f"field {field_name!r}: " if field_name else ""
        return PayloadError(f"{self.source}: {where}{what} in {self.url}")


@dataclass(frozen=True)
class Reject:
    """A record that could not be read.

    Parameters
    ----------
    record : Mapping[str, Any]
        As the site gave it.
    reason : str
        Why it was refused.
    expected : bool
        The site is known to hold such records (scans): they are listed, but are no sign that its format changed.
    """

    record: Mapping[str, Any]
    reason: str
    expected: bool = False


@dataclass(frozen=True)
class Listing:
    """A list of the documents that a site has, or a page of it.

    Parameters
    ----------
    name : str
        Which list: its pages have the same name.
    documents : frozenset of str
        Those named here.
    total : int
        How many the whole list names: pages that together name another number have shifted meanwhile, and say nothing.
    within : str
        Part of the address of every document that the list would name.
    since, until : date, optional
        First and last day of filing of which the list would name every document; open where it has no such bound.
    """

    name: str
    documents: frozenset[str]
    total: int
    within: str
    since: date | None = None
    until: date | None = None


@dataclass
class Batch:
    """What one payload says about one dataset.

    Parameters
    ----------
    dataset : str
        Name.
    table : pyarrow.Table, optional
        Rows, with ``event_date`` and any of the dataset's own columns.
    records : list of dict
        The same as dictionaries, where there are few.
    scopes : list of dict
        Parts of the key space this payload states completely (scope columns, ``scope_start``, ``scope_end``): a known
        row in there that is not among the rows has vanished.
    mentioned : list of dict
        Keys that are named without a value; nothing is concluded about them.
    rejects : list of Reject
        Records that could not be read.
    missing : bool
        The site does not know the item asked for.
    listing : bool
        The payload lists documents, and there may be nothing new among them: no rows are no failure then.
    listed : Listing, optional
        The documents that it lists: rows of a document that a complete list names no more have vanished.
    note : str
        For the report.
    """

    dataset: str
    table: pa.Table | None = None
    records: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    mentioned: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    missing: bool = False
    listing: bool = False
    listed: Listing | None = None
    note: str = ""

    @property
    def num_rows(self) -> int:
        """Rows parsed, without rejects."""
        return (self.table.num_rows if self.table is not None else 0) + len(self.records)


@dataclass(frozen=True)
class Ask:
    """What a collection wants from a source.

    Parameters
    ----------
    dataset : str
        Name.
    settings : Settings
        Switches, base addresses and credentials.
    now : datetime
        Time of the collection, UTC.
    start : date
        First event date wanted, for items that ``starts`` does not name.
    items : sequence of str
        Symbols or titles to ask for, where the source takes them one by one.
    starts : Mapping[str, date]
        First event date wanted per item.
    end : date, optional
        Last event date wanted; ``None`` for everything there is.
    full : bool
        Nothing is loaded yet, or everything is to be compared.
    following : bool
        Continues what is loaded: what is new now appeared since. Otherwise the past is loaded.
    ids : Mapping[str, str]
        Item -> the identity under which a site files it, where that is not the item itself (symbol -> CIK).
    known : frozenset of str
        Names of the documents loaded already, where a source gives documents one by one.
    """

    dataset: str
    settings: Settings
    now: datetime
    start: date
    items: Sequence[str] = ()
    starts: Mapping[str, date] = field(default_factory=dict)
    end: date | None = None
    full: bool = True
    following: bool = False
    ids: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()

    def start_of(self, item: str) -> date:
        """Return the first event date wanted of an item."""
        return self.starts.get(item, self.start)


class Source(ABC):
    """A site.

    Attributes
    ----------
    name : str
        Name of the module; stamped on every row.
    site : str
        Prefix under the sandbox; also the key of the rate limit.
    host : str
        Base address of the real site.
    profiles : frozenset of str
        Values of PAS_SOURCES under which it is collected from.
    key_setting : str or None
        Settings field of the credential it needs.
    url_setting : str or None
        Settings field of another base address, for a site that moves.
    sandbox_key : str
        What the loopback stand-in takes for the credential.
    accepts : frozenset of int
        Statuses beside 200 whose body the parser understands ("not known here").
    signs_in : bool
        Every session begins with :meth:`sign_in`.
    admitted_by : str
        Where what it returns goes with every request: ``query`` or ``headers``.
    names_companies : bool
        Its rows name companies and no symbols.
    has_documents : bool
        A list names documents that never change: each is fetched once.
    """

    name: str
    site: str
    host: str
    profiles: frozenset[str] = frozenset({"sandbox", "public", "subscribed"})
    key_setting: str | None = None
    url_setting: str | None = None
    sandbox_key: str = "sandbox"
    accepts: frozenset[int] = frozenset()
    signs_in: bool = False
    admitted_by: Literal["query", "headers"] = "query"
    names_companies: bool = False
    has_documents: bool = False

    def prepare(self, ask: Ask, fetch: Callable[[Request], Payload]) -> Ask:  # noqa: ARG002 - part of the contract
        """Return the ask completed by what ``fetch`` looks up (identities, for instance); nothing of it is landed."""
        return ask

    @abstractmethod
    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield what to ask."""

    def follow(self, request: Request, payload: Payload) -> Request | None:  # noqa: ARG002 - part of the contract
        """Return the request for the next page, or None: most answers are complete."""
        return None

    def rows_of(self, request: Request, payload: Payload) -> Sequence[bytes] | None:  # noqa: ARG002 - as its peers
        """Return what tells the rows of a page apart, in order, where they have no ids; None where they need not be.

        A row that comes in while such a list is read pushes the last one of a page to the next, where nothing tells it
        from another row that is equal. So where a page begins as the one before ends, or the first page is another one
        in the end, the list is read once more.
        """
        return None

    def expand(self, request: Request, payload: Payload) -> Iterable[Request]:  # noqa: ARG002 - part of the contract
        """Return the requests an answer gives rise to: what a list names, for instance."""
        return ()

    def leaves(self, request: Request, payload: Payload) -> str:  # noqa: ARG002 - part of the contract
        """Return what an answer lists and this collection leaves for the next ones, in words; most leave nothing."""
        return ""

    def sign_in(self, get: Callable[..., tuple[int, bytes]], settings: Settings) -> Mapping[str, str]:  # noqa: ARG002
        """Return parameters or headers that go with every request of a session, whose cookies ``get(url)`` keeps.

        ``get`` posts where it is given a ``form``. Done once a session, and once more after a 401 or when the session
        is over. What is returned is never stored.
        """
        return {}

    def session_over(self, payload: Payload) -> bool:  # noqa: ARG002 - part of the contract
        """Return whether an answer is the way to the entrance: the session has run out."""
        return False

    @abstractmethod
    def check(self, payload: Payload) -> None:
        """Raise :class:`PayloadError` when the body is not what the site promises (seen at fetch, and asked again)."""

    @abstractmethod
    def parse(self, payload: Payload) -> list[Batch]:
        """Return what a payload says.

        Raises
        ------
        PayloadError
            If it is not what the format promises.
        """

    def batches(self, payload: Payload) -> Iterable[Batch]:
        """Yield what a payload says in parts; sources whose answers may be huge hold only one part in memory."""
        return self.parse(payload)

    @abstractmethod
    def recognises(self, body: bytes) -> bool:
        """Return whether a body looks like this site's format."""

    def recognises_for(self, dataset: str, body: bytes) -> bool:  # noqa: ARG002 - most sites have one format
        """Return whether a body looks like this site's format of a dataset."""
        return self.recognises(body)


def base_url(source: Source, settings: Settings) -> str:
    """Return where a source is asked: its real host, or its prefix under the sandbox."""
    if settings.sources == "sandbox":
        return f"{settings.sandbox_url.rstrip('/')}/{source.site}"
    stated = getattr(settings, source.url_setting) if source.url_setting else None
    return str(stated).rstrip("/") if stated else source.host


def document_name(url: str) -> str:
    """Return what names a document among those of its site: the last part of its address."""
    return url.partition("?")[0].rstrip("/").rpartition("/")[2]


def key_of(source: Source, settings: Settings) -> str:
    """Return the credential of a source; the stand-in's under the sandbox, '' where none is set."""
    if settings.sources == "sandbox":
        return source.sandbox_key
    found = getattr(settings, source.key_setting) if source.key_setting else None
    return found.get_secret_value() if found is not None else ""


def looks_like_html(body: bytes) -> bool:
    """Return whether a body is an HTML page."""
    head = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def excerpt(body: bytes, limit: int = 60) -> str:
    """Return the beginning of a body for an error message, printable and on one line."""
    text = body[:limit].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
