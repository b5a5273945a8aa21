"""What a written figure carries: the recipe with its runs' ids, and the app's version; and how to get them back.

The text stands where each format has room for it: Keywords of a PDF, description of an SVG, a text chunk of a PNG.
It is ASCII, so no reader has to guess an encoding. Files are read as data that anybody may have written.
"""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gui.export.look import FigureError
from gui.export.recipe import MOST_BYTES, Recipe, parse
from lab import environment

SUFFIXES = (".pdf", ".svg", ".png")
MOST_FIGURE_BYTES = 1 << 28
MOST_NESTED = 100  # parentheses in a PDF's text that are not escaped; ours are
PNG_START = b"\x89PNG\r\n\x1a\n"
DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


def metadata(kind: str, recipe: Recipe, title: str) -> dict[str, Any]:
    """matplotlib's ``metadata`` for a figure of this kind (.pdf, .svg or .png); no dates, so that bytes repeat."""
    app = f"Training Dynamics Lab {environment.app_version()}"
    text = json.dumps({"app": app, "recipe": json.loads(recipe.text())}, ensure_ascii=True)
    return {
        ".pdf": {"Title": title, "Keywords": text, "Creator": app, "CreationDate": None},
        ".svg": {"Title": title, "Description": text, "Creator": app, "Date": None},
        ".png": {"Title": title, "Description": text, "Software": app},
    }[kind]


def recipe_of(path: Path) -> Recipe:
    """The recipe inside a figure that this app wrote.

    Raises:
        FigureError: The file cannot be read, is no figure of ours, or is damaged.
    """
    try:
        if path.stat().st_size > MOST_FIGURE_BYTES:
            raise FigureError(f"{path} is larger than any figure: {path.stat().st_size >> 20} MB")
        content = path.read_bytes()
    except OSError as error:
        raise FigureError(f"cannot read {path}: {error.strerror}") from None
    for text in _texts(content):
        if len(text) > 2 * MOST_BYTES:
            break
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and "recipe" in found and "app" in found:
            try:
                return parse(json.dumps(found["recipe"]))
            except FigureError as error:
                raise FigureError(f"{path}: {error}") from None
    raise FigureError(f"{path} is no figure that this app wrote, or its recipe was removed by another program")


def _texts(content: bytes) -> Iterator[str]:
    if content.startswith(b"%PDF-"):
        yield from _pdf_keywords(content)
    elif content.startswith(PNG_START):
        yield from _png_texts(content)
    elif content.lstrip()[:5] in (b"<?xml", b"<svg ", b"<svg>"):
        yield from _svg_descriptions(content)


def _pdf_keywords(content: bytes) -> Iterator[str]:
    """Texts of /Keywords, as literal (…) or hexadecimal <…> strings."""
    for start in re.finditer(rb"/Keywords\s*(?=[(<])", content):
        if content[start.end() : start.end() + 1] == b"<":
            stop = content.find(b">", start.end())
            try:
                raw = bytes.fromhex(content[start.end() + 1 : stop].decode("ascii"))
            except ValueError:
                continue
        else:
            raw = _literal(content, start.end() + 1)
        yield raw[2:].decode("utf-16-be", "replace") if raw.startswith(b"\xfe\xff") else raw.decode("latin-1")


def _literal(content: bytes, at: int) -> bytes:
    """A PDF's literal string from behind its opening parenthesis (ISO 32000-1, 7.3.4.2)."""
    out, depth = bytearray(), 1
    named = {ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("b"): 8, ord("f"): 12}
    while at < len(content) and len(out) <= 2 * MOST_BYTES:
        byte = content[at]
        if byte == ord("\\"):
            if octal := re.compile(rb"[0-7]{1,3}").match(content, at + 1):
                out.append(int(octal[0], 8) & 255)
                at = octal.end()
                continue
            at += 1
            byte = content[at] if at < len(content) else 0
            out.append(named.get(byte, byte))
        else:
            depth += (byte == ord("(")) - (byte == ord(")"))
            if not 0 < depth < MOST_NESTED:
                break
            out.append(byte)
        at += 1
    return bytes(out)


def _png_texts(content: bytes) -> Iterator[str]:
    at = len(PNG_START)
    while at + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        if content[at + 4 : at + 8] == b"tEXt" and at + 12 + size <= len(content):
            yield content[at + 8 : at + 8 + size].partition(b"\0")[2].decode("latin-1")
        at += 12 + size


def _svg_descriptions(content: bytes) -> Iterator[str]:
    if b"<!ENTITY" in content:  # ours have none; they are how a small XML becomes a large one
        return
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(content)):
            if element.tag == DESCRIPTION and element.text:
                yield element.text
                return
    except ElementTree.ParseError:
        return
