"""The sandbox's clock, asked and moved over HTTP."""

from __future__ import annotations

from datetime import datetime

import requests

from pas_lib.stack.errors import StackError


class SandboxClient:
    """The sandbox on loopback.

    Parameters
    ----------
    address : str
        Its address.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._http = requests.Session()
        self._http.trust_env = False

    def is_up(self) -> bool:
        """Return whether it answers."""
        try:
            return self._http.get(f"{self.address}/sandbox/clock", timeout=10).status_code == 200
        except requests.RequestException:
            return False

    def now(self) -> datetime:
        """Return the sandbox's time."""
        answer = self._http.get(f"{self.address}/sandbox/clock", timeout=30)
        answer.raise_for_status()
        return datetime.fromisoformat(str(answer.json()["now"]))

    def advance(self, to: str) -> datetime:
        """Move the clock forward: to the next ``open``, the next ``evening``, or a moment in ISO format."""
        try:
            answer = self._http.post(f"{self.address}/sandbox/advance", json={"to": to}, timeout=120)
            answer.raise_for_status()
        except requests.ConnectionError:
            raise StackError(
                f"the sandbox at {self.address} does not answer", hint="start it with `pas sandbox` or `make run`"
            ) from None
        except requests.RequestException as error:
            answered = getattr(error, "response", None)
            said = answered.text[:200] if answered is not None else type(error).__name__
            raise StackError(f"the sandbox's clock does not move to {to}: {said}") from None
        return self.now()
