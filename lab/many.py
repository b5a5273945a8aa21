"""Carries out points of a study: one as any run, several at once where the experiment can train them together."""

from __future__ import annotations

from collections.abc import Sequence

from lab.hosts import execute
from lab.link import Link
from lab.request import Request


def execute_many(requests: Sequence[Request], link: Link) -> None:
    """Run to the end, the stop or the failure; what became of each run is in its file."""
    for request in requests:
        execute(request, link)
