"""No silent death: an error nobody caught becomes a dialog and a report file to keep."""

import faulthandler
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from PySide6.QtCore import QMessageLogContext, QObject, Qt, QtMsgType, Signal, Slot, qInstallMessageHandler
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from gui.named import named

PACKAGES = ("training-dynamics-lab", "PySide6-Essentials", "pyqtgraph", "numpy", "h5py", "pydantic", "torch")
Saved = Callable[[], list[str]]


def environment() -> str:
    """Versions that whoever reads a report needs."""
    from importlib.metadata import PackageNotFoundError, version  # brings the parsers of email, for a rare moment

    lines = [f"python {platform.python_version()} on {platform.platform()}"]
    for name in PACKAGES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join(lines)


class Reporter(QObject):
    """Takes every uncaught error of every thread, writes it to a file and shows it in the window's thread.

    Args:
        folder: Where report files go.
        saved: Says, one line per open run, what is safe on disk.
    """

    _caught = Signal(str, str)  # what happened in one line, all of it

    def __init__(self, folder: Path, saved: Saved = list) -> None:
        super().__init__()
        self.folder, self.saved = folder, saved
        self.parent_window: QWidget | None = None
        self.dialog: ReportDialog | None = None
        self._seen: set[str] = set()
        self._previous: tuple[Any, ...] = ()
        self._crash: IO[str] | None = None
        self._caught.connect(self._show)

    def install(self) -> None:
        """Put the hooks in place; :meth:`remove` takes them away again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._previous = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook = self._hook
        threading.excepthook = self._thread_hook
        sys.unraisablehook = self._unraisable_hook
        self._crash = self.crash_file.open("w", encoding="utf-8")
        faulthandler.enable(self._crash)
        qInstallMessageHandler(self._qt_message)

    def remove(self) -> None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._previous
        qInstallMessageHandler(None)
        faulthandler.disable()
        if self._crash is not None:
            self._crash.close()
            self.crash_file.unlink(missing_ok=True)

    @property
    def crash_file(self) -> Path:
        """Filled by the interpreter itself when the process dies in native code; empty in peace."""
        return self.folder / "crash.txt"

    def last_crash(self) -> str:
        """What the last session left in the crash file, moved aside so that it is told once. Ask before install."""
        if not self.crash_file.exists() or not self.crash_file.stat().st_size:
            return ""
        kept = self.folder / time.strftime("crash-%Y-%m-%d-%H%M%S.txt")
        self.crash_file.rename(kept)
        return str(kept)

    def report(self, headline: str, details: str) -> None:
        """Tell of an error, from any thread."""
        sys.stderr.write(details + "\n")
        self._caught.emit(headline, details)

    def _hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        self.report(_headline(error), "".join(traceback.format_exception(kind, error, trace)))

    def _thread_hook(self, args: Any) -> None:
        if args.exc_value is None:
            return
        text = "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
        self.report(f"{_headline(args.exc_value)} (in thread {args.thread.name if args.thread else '?'})", text)

    def _unraisable_hook(self, args: Any) -> None:
        text = "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
        sys.stderr.write(
            f"{args.err_msg or 'Ignored'}: {args.object!r}\n{text}\n"
        )  # nothing is broken by it: no dialog

    def _qt_message(self, kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
        sys.stderr.write(f"Qt: {message}\n")
        if kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg):
            self.report(message, f"Qt {kind.name}: {message}\n{context.file}:{context.line}")

    @Slot(str, str)
    def _show(self, headline: str, details: str) -> None:
        path = self._write(headline, details)
        if details in self._seen:  # an error at every redraw must not open a dialog at every redraw
            return
        self._seen.add(details)
        if self.dialog is not None and self.dialog.isVisible():
            self.dialog.add(headline, details)
            return
        self.dialog = ReportDialog(headline, details, self.saved(), path, self.parent_window)
        self.dialog.open()

    def _write(self, headline: str, details: str) -> str:
        path = self.folder / time.strftime("report-%Y-%m-%d.txt")
        try:
            new = not path.exists()
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{environment()}\n" if new else "")
                file.write(f"\n{time.strftime('%H:%M:%S')}  {headline}\n{details}\n")
                file.writelines(f"{line}\n" for line in self.saved())
        except OSError as error:
            return f"(no report file could be written: {error})"
        return str(path)


def _headline(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


class ReportDialog(QDialog):
    """What happened, what is safe, where the report is, and a button that copies it."""

    def __init__(self, headline: str, details: str, saved: list[str], path: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Something went wrong")
        self.setMinimumSize(560, 360)
        title = named(QLabel("Something went wrong in the app"), "title")
        self.headline = QLabel(headline, wordWrap=True)
        self.saved = QLabel("\n".join(saved) or "No run is open, so nothing recorded is at stake.", wordWrap=True)
        where = named(QLabel(f"Report: {path}", wordWrap=True), "muted")
        self.details = QPlainTextEdit(details, readOnly=True)
        self.details.setAccessibleName("Details")
        self.details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        copy = QPushButton("Copy report")
        copy.clicked.connect(self.copy)
        go_on = QPushButton("Go on", default=True)
        go_on.setProperty("primary", True)
        go_on.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(copy)
        buttons.addStretch(1)
        buttons.addWidget(go_on)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(12)
        for widget in (title, self.headline, self.saved, self.details, where):
            if isinstance(widget, QLabel):
                widget.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(widget)
        layout.addLayout(buttons)
        go_on.setFocus()

    def add(self, headline: str, details: str) -> None:
        """Another error while this one is still shown."""
        self.headline.setText(f"{self.headline.text()}\n{headline}")
        self.details.appendPlainText(f"\n{details}")

    def copy(self) -> None:
        parts = (self.headline.text(), self.details.toPlainText(), environment(), self.saved.text())
        QGuiApplication.clipboard().setText("\n\n".join(parts))
