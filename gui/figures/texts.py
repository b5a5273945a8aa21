"""What is typed into the composer's fields as a recipe has it, and back; the recipe itself says what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gui.export import look
from gui.export.recipe import Note


def fonts_of(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] or [look.FALLBACK]


def number_of(text: str) -> float | str:
    """A number, or the text for the recipe's own check to refuse."""
    try:
        return float(text)
    except ValueError:
        return text.strip()


def whole_of(text: str) -> int | str | None:
    return int(text) if text.isdecimal() else text or None


def pair_of(text: str) -> tuple[Any, Any]:
    """Two limits; one that is left out is None."""
    low, _, high = text.partition(",")
    return (number_of(low) if low.strip() else None, number_of(high) if high.strip() else None)


def pair_text(limits: tuple[float | None, float | None]) -> str:
    if limits == (None, None):
        return ""
    return ", ".join("" if value is None else f"{value:g}" for value in limits)


def numbers_of(text: str) -> list[float | str]:
    return [number_of(part) for part in text.replace(":", ",").split(",") if part.strip()]


def numbers_text(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def notes_of(text: str) -> list[dict[str, Any]]:
    """Notes as ``x, y, text; x, y, text``."""
    notes = []
    for part in filter(None, text.split(";")):
        x, y, words = (*part.split(",", 2), "", "")[:3]
        notes.append({"text": words.strip(), "at": (number_of(x), number_of(y))})
    return notes


def notes_text(notes: Sequence[Note]) -> str:
    return "; ".join(f"{note.at[0]:g}, {note.at[1]:g}, {note.text}" for note in notes)
