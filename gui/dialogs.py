"""Asking for files: the system's dialogs, which never stop the window and open where they were left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget


def ask_to_save(
    parent: QWidget | None, title: str, name: str, kinds: str, then: Callable[[str], Any], *, folder: str = ""
) -> None:
    """Ask where to write a file and hand its path to ``then``.

    Args:
        name: Suggested; empty for none.
        kinds: As Qt's filters, ``PDF (*.pdf);;SVG (*.svg)``; a name without an ending gets the chosen one's.
        folder: Where the dialog opens; empty: where the last one was.
    """
    dialog = _dialog(parent, title, kinds, folder)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.filterSelected.connect(lambda kind: dialog.setDefaultSuffix(_ending(kind)))
    dialog.setDefaultSuffix(_ending(kinds.partition(";;")[0]))
    dialog.selectFile(name)
    dialog.fileSelected.connect(then)
    dialog.open()


def ask_to_open(
    parent: QWidget | None,
    title: str,
    kinds: str,
    then: Callable[[str], Any],
    *,
    folder: str = "",
    many: bool = False,
) -> None:
    """Ask for a file that exists, or for ``many``, and hand the path of each to ``then``."""
    dialog = _dialog(parent, title, kinds, folder)
    modes = QFileDialog.FileMode
    dialog.setFileMode(modes.ExistingFiles if many else modes.ExistingFile)
    dialog.filesSelected.connect(lambda paths: [then(path) for path in paths])
    dialog.open()


def ask_for_folder(parent: QWidget | None, title: str, then: Callable[[str], Any], *, folder: str = "") -> None:
    """Ask for a folder and hand its path to ``then``."""
    dialog = _dialog(parent, title, "", folder)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.fileSelected.connect(then)
    dialog.open()


def _dialog(parent: QWidget | None, title: str, kinds: str, folder: str) -> QFileDialog:
    dialog = QFileDialog(parent, title, folder, kinds)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return dialog


def _ending(kind: str) -> str:
    """The first ending of a filter, without its dot; empty where it admits all files."""
    return kind.partition("*.")[2].partition(" ")[0].rstrip(")")
