"""The landing: every payload as received, and the queue of what is not loaded yet.

One file per payload: a line of JSON that tells where it came from, then the bytes. A run's manifest is written last,
into the queue; what has no manifest never happened. When its rows are committed a manifest moves from the queue to the
runs that are loaded, with the time and the number of its load: from those the raw tables can be built again.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from pas_lib.errors import PasError
from pas_lib.sources.base import Payload

_MARK = b'{"pas_landing":1,'
#: Longer than the line before any body.
_HEAD = 1 << 16


@dataclass(frozen=True)
class LandedFile:
    """A payload in the landing.

    Parameters
    ----------
    path : str
        Relative to the landing.
    url : str
        Where it came from, without credentials.
    sha256 : str
        Of the body.
    size : int
        Bytes of the body.
    source : str
        Site module.
    key : str
        Identity of the question.
    etag, last_modified : str
        The site's validators.
    unchanged : bool
        An earlier run landed the bytes; the site said that they are still the same.
    """

    path: str
    url: str
    sha256: str
    size: int
    source: str
    key: str = ""
    etag: str = ""
    last_modified: str = ""
    unchanged: bool = False


@dataclass(frozen=True)
class Accepted:
    """A person's word that a drop in the number of rows is true.

    Parameters
    ----------
    reason, who : str
        Why, and whose word it is.
    """

    reason: str
    who: str


@dataclass(frozen=True)
class Manifest:
    """One collection run as landed.

    Parameters
    ----------
    run_id : str
        Its identity.
    dataset : str
        What was collected.
    session : date, optional
        For which session.
    fetched_at : datetime
        Time of the collection.
    watermark : date, optional
        Up to where everything is collected once this is loaded; None where it does not join what is loaded.
    files : tuple of LandedFile
        In the order asked.
    notes : tuple of str
        For the report.
    asked_from : date, optional
        First day asked for; None where it follows what is loaded.
    accepted : Accepted, optional
        Its gates on the number of rows are overruled.
    """

    run_id: str
    dataset: str
    session: date | None
    fetched_at: datetime
    watermark: date | None
    files: tuple[LandedFile, ...] = ()
    notes: tuple[str, ...] = field(default_factory=tuple)
    asked_from: date | None = None
    accepted: Accepted | None = None

    @property
    def is_unchanged(self) -> bool:
        """Whether every answer was known before: there is nothing to load."""
        return all(file.unchanged for file in self.files)

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Read it back."""
        raw = orjson.loads(text)
        return cls(
            run_id=raw["run_id"],
            dataset=raw["dataset"],
            session=date.fromisoformat(raw["session"]) if raw["session"] else None,
            fetched_at=datetime.fromisoformat(raw["fetched_at"]),
            watermark=date.fromisoformat(raw["watermark"]) if raw["watermark"] else None,
            files=tuple(LandedFile(**entry) for entry in raw["files"]),
            notes=tuple(raw["notes"]),
            asked_from=date.fromisoformat(raw["asked_from"]) if raw.get("asked_from") else None,
            accepted=Accepted(**raw["accepted"]) if raw.get("accepted") else None,
        )


@dataclass(frozen=True)
class LoadedRun:
    """A run whose rows are committed.

    Parameters
    ----------
    manifest : Manifest
        What it landed.
    loaded_at : datetime
        Stamped on its rows as ``ingested_at``.
    number : int
        Its place in the order of all loads of the warehouse.
    late : bool
        Refused records were read again from what other runs had landed.
    """

    manifest: Manifest
    loaded_at: datetime
    number: int
    late: bool = False


class Landing:
    """A folder or any fsspec address.

    Parameters
    ----------
    url : str
        A path, or an address such as ``s3://bucket/landing``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        scheme = urlsplit(url).scheme
        self._local: Path | None = None
        self._fs: Any = None
        if scheme in ("", "file"):
            self._local = Path(urlsplit(url).path if scheme else url)
        else:
            import fsspec

            self._fs, self._root = fsspec.core.url_to_fs(url)

    # -- bytes

    def put(self, path: str, *parts: bytes) -> None:
        """Write a file so that it appears whole or not at all; its parts are not joined in memory before."""
        if self._local is not None:
            target = self._local / path
            partial = target.with_name(f".{target.name}.part")
            try:
                handle = open(partial, "wb")  # noqa: SIM115 - closed below; opened twice on a new folder
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                handle = open(partial, "wb")  # noqa: SIM115
            with handle:
                handle.writelines(parts)
            os.replace(partial, target)
            return
        target_path = f"{self._root}/{path}"
        self._fs.makedirs(target_path.rpartition("/")[0], exist_ok=True)
        partial_path = f"{target_path}.part"
        self._fs.pipe_file(partial_path, b"".join(parts))
        self._fs.mv(partial_path, target_path)

    def get(self, path: str) -> bytes:
        """Return a file's content.

        Raises
        ------
        PasError
            If it is not there.
        """
        try:
            if self._local is not None:
                return (self._local / path).read_bytes()
            return bytes(self._fs.cat_file(f"{self._root}/{path}"))
        except FileNotFoundError:
            raise PasError(f"{path} is missing in the landing {self.url}") from None

    def exists(self, path: str) -> bool:
        """Return whether a file or folder exists."""
        if self._local is not None:
            return (self._local / path).exists()
        return bool(self._fs.exists(f"{self._root}/{path}"))

    def remove(self, path: str) -> None:
        """Delete a file; nothing happens when it is gone already."""
        try:
            if self._local is not None:
                (self._local / path).unlink()
            else:
                self._fs.rm_file(f"{self._root}/{path}")
        except FileNotFoundError:
            pass

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; of a missing one nothing."""
        if self._local is not None:
            place = self._local / folder
            names = [entry.name for entry in place.iterdir()] if place.is_dir() else []
        elif self._fs.exists(f"{self._root}/{folder}"):
            names = [path.rpartition("/")[2] for path in self._fs.ls(f"{self._root}/{folder}", detail=False)]
        else:
            names = []
        return sorted(name for name in names if not name.startswith(".") and not name.endswith(".part"))

    # -- payloads

    def write(self, folder: str, number: int, payload: Payload) -> LandedFile:
        """Land a payload and return where; bytes that lie in the landing already stay where they are."""
        digest = hashlib.sha256(payload.body).hexdigest()
        told = (payload.key, payload.etag, payload.last_modified, payload.unchanged)
        if payload.landed:
            return LandedFile(payload.landed, payload.url, digest, len(payload.body), payload.source, *told)
        label = re.sub(r"[^A-Za-z0-9.^_-]+", "_", payload.label)[:60]
        path = f"{folder}/{number:05d}-{payload.source}-{label}"
        self.put(path, _head(payload), payload.body)
        return LandedFile(path, payload.url, digest, len(payload.body), payload.source, *told)

    def read(self, path: str) -> Payload:
        """Return a landed payload.

        Raises
        ------
        PasError
            If it is not there, or is something else.
        """
        if self._local is None:
            return split(self.get(path), path)
        try:
            # Unbuffered: a long body is read into its own memory, and is there once.
            with open(self._local / path, "rb", buffering=0) as handle:
                begin = handle.read(_HEAD)
                while begin and b"\n" not in begin and (more := handle.read(_HEAD)):
                    begin += more
                head, _, body = begin.partition(b"\n")
                if len(begin) >= _HEAD:
                    handle.seek(len(head) + 1)
                    body = handle.readall()
        except FileNotFoundError:
            raise PasError(f"{path} is missing in the landing {self.url}") from None
        return _payload(head, body, path)

    def new_folder(self, dataset: str, session: date | None, now: datetime) -> str:
        """Return a folder for a new run; its last part is the run's id."""
        day = session.isoformat() if session else "unscheduled"
        stem = f"{dataset}-{day}-{now:%Y%m%dT%H%M%SZ}"
        number = 1
        while self.exists(f"{dataset}/{day}/{stem}-{number}"):
            number += 1
        folder = f"{dataset}/{day}/{stem}-{number}"
        self.put(f"{folder}/.run", b"")
        return folder

    # -- the queue

    def enqueue(self, manifest: Manifest) -> None:
        """Declare a run complete: from now on it will be loaded."""
        self.put(f"queue/{manifest.run_id}.json", manifest.to_json())

    def queued(self, dataset: str | None = None) -> Iterator[Manifest]:
        """Yield the runs that are not loaded yet, oldest first."""
        found = [Manifest.from_json(self.get(f"queue/{name}")) for name in self.list("queue")]
        for manifest in sorted(found, key=lambda entry: (entry.fetched_at, entry.run_id)):
            if dataset is None or manifest.dataset == dataset:
                yield manifest

    def is_queued(self, run_id: str) -> bool:
        """Return whether a run waits to be loaded."""
        return self.exists(f"queue/{run_id}.json")

    def done(self, run_id: str) -> None:
        """Take a run off the queue."""
        self.remove(f"queue/{run_id}.json")

    # -- what is loaded

    def loaded(self, run: LoadedRun) -> None:
        """Keep the manifest of a run whose rows are committed, and take it off the queue."""
        content = {
            "loaded_at": run.loaded_at,
            "number": run.number,
            "late": run.late,
            "manifest": orjson.loads(run.manifest.to_json()),
        }
        self.put(f"loaded/{run.manifest.dataset}/{run.manifest.run_id}.json", orjson.dumps(content))
        self.done(run.manifest.run_id)

    def loaded_runs(self, dataset: str) -> tuple[LoadedRun, ...]:
        """Return the loaded runs of a dataset in the order of their loads."""
        found = []
        for name in self.list(f"loaded/{dataset}"):
            raw = orjson.loads(self.get(f"loaded/{dataset}/{name}"))
            manifest = Manifest.from_json(orjson.dumps(raw["manifest"]))
            found.append(LoadedRun(manifest, datetime.fromisoformat(raw["loaded_at"]), raw["number"], raw["late"]))
        return tuple(sorted(found, key=lambda run: (run.loaded_at, run.number)))

    # -- what was refused

    def keep_refused(self, folder: str, payload: Payload) -> str:
        """Keep an answer that was refused as it came, for people, and return where."""
        label = re.sub(r"[^A-Za-z0-9.^_-]+", "_", payload.label)[:60]
        path = f"refused/{folder}/{payload.source}-{label}"
        self.put(path, _head(payload), payload.body)
        return path

    def refuse(self, manifest: Manifest) -> None:
        """Take a run that could not be loaded off the queue; its manifest waits until a parser was mended."""
        self.put(f"refused/{manifest.dataset}/{manifest.run_id}.json", manifest.to_json())
        self.done(manifest.run_id)

    def refused_runs(self, dataset: str) -> tuple[Manifest, ...]:
        """Return the runs of a dataset that could not be loaded, oldest first."""
        names = [name for name in self.list(f"refused/{dataset}") if name.endswith(".json")]
        found = [Manifest.from_json(self.get(f"refused/{dataset}/{name}")) for name in names]
        return tuple(sorted(found, key=lambda entry: (entry.fetched_at, entry.run_id)))

    def enqueue_again(self, manifest: Manifest) -> None:
        """Queue a run once more that could not be loaded."""
        self.enqueue(manifest)
        self.remove(f"refused/{manifest.dataset}/{manifest.run_id}.json")

    # -- what the next collection needs when the warehouse is away

    def save_state(self, name: str, state: Mapping[str, Any]) -> None:
        """Keep a small dictionary."""
        self.put(f"state/{name}.json", orjson.dumps(dict(state)))

    def load_state(self, name: str) -> dict[str, Any] | None:
        """Return a kept dictionary, or None."""
        if not self.exists(f"state/{name}.json"):
            return None
        state: dict[str, Any] = orjson.loads(self.get(f"state/{name}.json"))
        return state

    def drop_state(self, name: str) -> None:
        """Forget a kept dictionary."""
        self.remove(f"state/{name}.json")


def _head(payload: Payload) -> bytes:
    meta = {
        "pas_landing": 1,
        "source": payload.source,
        "dataset": payload.dataset,
        "label": payload.label,
        "url": payload.url,
        "status": payload.status,
        "content_type": payload.content_type,
        "fetched_at": payload.fetched_at,
        "context": dict(payload.context),
        "key": payload.key,
        "etag": payload.etag,
        "last_modified": payload.last_modified,
    }
    return orjson.dumps(meta) + b"\n"


def is_landed(content: bytes) -> bool:
    """Return whether a file's content was written by :meth:`Landing.write`."""
    return content.startswith(_MARK)


def split(content: bytes, path: str) -> Payload:
    """Return the payload in a landed file's content."""
    head, _, body = content.partition(b"\n")
    return _payload(head, body, path)


def _payload(head: bytes, body: bytes, path: str) -> Payload:
    if not is_landed(head):
        raise PasError(f"{path} was not written by the landing")
    meta = orjson.loads(head)
    return Payload(
        source=meta["source"],
        dataset=meta["dataset"],
        label=meta["label"],
        url=meta["url"],
        status=meta["status"],
        content_type=meta["content_type"],
        fetched_at=datetime.fromisoformat(meta["fetched_at"]),
        context=meta["context"],
        body=body,
        key=meta.get("key", ""),
        etag=meta.get("etag", ""),
        last_modified=meta.get("last_modified", ""),
    )
