"""Faults of the paper broker that tests switch on: what a network and a broker do on their worst day."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: kind -> (request it strikes unless told otherwise, what happens)
KINDS: Mapping[str, tuple[str, str]] = {
    "accept_then_timeout": ("POST /v2/orders", "the order is taken, the answer comes after `seconds`"),
    "timeout": ("POST /v2/orders", "nothing is done, the answer comes after `seconds`"),
    "accept_then_error": ("POST /v2/orders", "the order is taken, the answer is `status` (504) with an HTML page"),
    "error": ("POST /v2/orders", "nothing is done, the answer is `status` (504) with an HTML page"),
    "accept_then_cut": ("POST /v2/orders", "the order is taken, the connection breaks inside the answer"),
    "cut": ("POST /v2/orders", "nothing is done, the connection breaks inside the answer"),
    "accept_then_garbage": ("POST /v2/orders", "the order is taken, the answer is 200 with an HTML page"),
    "garbage": ("POST /v2/orders", "nothing is done, the answer is 200 with an HTML page"),
    "rate_limit": ("POST /v2/orders", "429 with the rate limit headers"),
    "reject": ("POST /v2/orders", "`status` (403), `code` (40310000) and `message`"),
    "partial_fill": (
        "POST /v2/orders",
        "the order fills to `fraction` (0.4) only, the rest stays open until the close",
    ),
    "no_fill": ("POST /v2/orders", "the order stays open until the close"),
    "wrong_order": ("POST /v2/orders", "twice the quantity is taken, the answer is a 504"),
    "fill_wins": ("DELETE /v2/orders", "the order fills before the cancellation reaches it: 422"),
    "cancel_ignored": ("DELETE /v2/orders", "204, and nothing happens"),
    "duplicate_rows": ("GET /v2/account/activities", "every row comes twice"),
    "hidden_rows": ("GET /v2/account/activities", "no rows, as if the feed lagged"),
    "late_rows": ("GET /v2/account/activities", "the first fills of orders are missing, the last ones are there"),
    "reversed_rows": ("GET /v2/account/activities", "rows in the wrong order of time"),
}


@dataclass
class Fault:
    """One switched-on fault; strikes ``times`` requests, then it is spent."""

    kind: str
    times: int = 1
    on: str = ""
    symbol: str = ""
    options: dict[str, Any] = field(default_factory=dict)


class FaultSwitch:
    """The faults switched on now. Thread-safe; not kept over a restart."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def put(self, body: Mapping[str, Any]) -> None:
        """Switch a fault on.

        Parameters
        ----------
        body : mapping
            ``kind`` and optionally ``times``, ``on`` ("METHOD /path-prefix"), ``symbol`` and the kind's own options.

        Raises
        ------
        ValueError
            If the kind is unknown.
        """
        options = dict(body)
        kind = str(options.pop("kind", ""))
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; known: {', '.join(sorted(KINDS))}")
        fault = Fault(
            kind=kind,
            times=int(options.pop("times", 1)),
            on=str(options.pop("on", KINDS[kind][0])),
            symbol=str(options.pop("symbol", "")),
            options=options,
        )
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._faults.clear()

    def shown(self) -> list[dict[str, Any]]:
        """Return what is switched on."""
        with self._lock:
            return [
                {"kind": f.kind, "times": f.times, "on": f.on, "symbol": f.symbol, **f.options} for f in self._faults
            ]

    def strike(self, method: str, path: str, symbol: str = "") -> Fault | None:
        """Return the first fault that hits this request and use one of its times up."""
        request = f"{method} {path}"
        with self._lock:
            for fault in self._faults:
                if request.startswith(fault.on) and (not fault.symbol or fault.symbol == symbol):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None
