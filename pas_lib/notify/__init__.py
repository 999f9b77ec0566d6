"""Notifications: what happened is read from ops, said once to every channel of PAS_NOTIFY_URLS, and never fatal.

`announce` is called after each step by whoever ran it (Airflow's operators, the command line, the direct run): it looks
for what nobody has been told yet, claims it in ``ops.notifications`` so that two callers do not both speak, and
sends. `send` is the plain way for what cannot be read from the warehouse, such as that it is away.
"""

from __future__ import annotations

from pas_lib.notify.channels import Delivery, Message, send
from pas_lib.notify.outbox import announce

__all__ = ["Delivery", "Message", "announce", "send"]
