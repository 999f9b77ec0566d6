"""Which session is being worked on, kept on disk: a job that was killed goes on where it was."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

#: The steps of a session, in order. The first three are one chain of assets: they are asked for together.
STEPS = ("collect", "transform", "decide", "execute", "evaluate")


@dataclass
class SessionState:
    """How far a session is.

    Attributes
    ----------
    path : Path
        The file it is kept in.
    session : date or None
        The session begun last.
    done : list of str
        Its finished steps.
    """

    path: Path
    session: date | None = None
    done: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> SessionState:
        """Read the state; nothing begun if there is none or it cannot be read."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, date.fromisoformat(data["session"]), [s for s in STEPS if s in data["done"]])
        except (OSError, ValueError, KeyError, TypeError):
            return cls(path)

    @property
    def unfinished(self) -> date | None:
        """The session that was begun and not finished."""
        return self.session if self.session is not None and STEPS[-1] not in self.done else None

    def begin(self, session: date) -> None:
        """Begin a session, or go on with it if it is the one begun last."""
        if session != self.session:
            self.session, self.done = session, []
        self._save()

    def finish(self, step: str) -> None:
        """Note that a step is done."""
        if step not in self.done:
            self.done.append(step)
        self._save()

    def _save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_text(
            json.dumps({"session": self.session.isoformat() if self.session else "", "done": self.done}),
            encoding="utf-8",
        )
        draft.replace(self.path)
