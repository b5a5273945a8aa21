"""Every name in a run file, and its version. One HDF5 file per run; arrays and JSON text only."""

from collections.abc import Callable, Mapping
from typing import Any

import h5py

from .errors import RunFileError

FORMAT = "training-dynamics-run"
FORMAT_VERSION = 1

CONFIG = "config"
ENVIRONMENT = "environment"
VERDICT = "verdict"
LOG = "log"
SERIES = "series"
EVENTS = "events"
CHECKPOINTS = "checkpoints"
STEP = "step"
VALUE = "value"
EVENT_TIME = "time"
EVENT_KIND = "kind"
EVENT_PAYLOAD = "payload"
CLOCK = "clock"
CLOCK_TIME = "time"

STAR = "star"
TAGS = "tags"
NOTE = "note"
"""Attributes of / that people give a run later: 1 for a star, a JSON list of texts, a text."""

HEADER = (
    "experiment", "preset", "arm", "title", "seed", "parent_run", "parent_step", "device", "also", "app_version",
)  # fmt: skip
"""Attributes of / that whoever starts a run gives; the writer adds format, format_version, run_id, state, created."""
SERIES_ATTRS = ("label", "symbol", "units", "statistic", "estimator")

STATES = ("running", "paused", "finished", "stopped", "failed", "interrupted")
LIVE_STATES = ("running", "paused")
"""States that only hold while a writer lives; without one the run was interrupted."""

NO_STEP = -1
"""What a step reads as where a row was never written; no run has such a step."""

Header = dict[str, Any]
MIGRATIONS: Mapping[int, Callable[[Header], Header]] = {}
"""From version k to k+1: takes the header as read and gives the header of the next version. Files stay as they are."""


def migrated(header: Mapping[str, Any]) -> Header:
    """The header as this version writes it.

    Raises:
        RunFileError: Not a run file, or written by a later version.
    """
    header = dict(header)
    version = header.get("format_version")
    if header.get("format") != FORMAT or not isinstance(version, int) or version < 1:
        raise RunFileError("not a run file: its format attribute is missing")
    if version > FORMAT_VERSION:
        raise RunFileError(
            f"written by a later version (format {version}, this app reads up to {FORMAT_VERSION}); update the app"
        )
    for step in range(version, FORMAT_VERSION):
        header = MIGRATIONS[step](header)
    return header


def group_at(parent: h5py.Group, name: str) -> h5py.Group:
    """The group ``name`` of a file that was written here or checked."""
    found = parent[name]
    if not isinstance(found, h5py.Group):
        raise RunFileError(f"{name} is no group")
    return found


def dataset_at(parent: h5py.Group, name: str) -> h5py.Dataset:
    """The dataset ``name`` of a file that was written here or checked."""
    found = parent[name]
    if not isinstance(found, h5py.Dataset):
        raise RunFileError(f"{name} is no dataset")
    return found
