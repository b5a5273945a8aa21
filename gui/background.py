"""Slow work off the window's thread, one at a time: readings, of which the newest wins; and changes, all of them."""

import contextlib
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot


class _Work(QRunnable):
    def __init__(self, work: Callable[[], Any], report: Callable[[int, Any, str], None], ticket: int) -> None:
        super().__init__()
        self._work, self._report, self._ticket = work, report, ticket

    def run(self) -> None:
        try:
            result, error = self._work(), ""
        except Exception as problem:  # the thread's edge: nobody above can report it
            result, error = None, f"{type(problem).__name__}: {problem}"
        with contextlib.suppress(RuntimeError):  # whoever asked is gone
            self._report(self._ticket, result, error)


class Background(QObject):
    """Runs one function at a time in a thread and announces its result in this object's thread."""

    done = Signal(object)
    failed = Signal(str)
    _arrived = Signal(int, object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._ticket = 0
        self._under_way = False
        self._next: Callable[[], Any] | None = None
        self._arrived.connect(self._arrive)

    def start(self, work: Callable[[], Any]) -> None:
        """Call ``work``; results of earlier calls that have not arrived yet are dropped."""
        self._under_way, self._next = True, None
        self._ticket += 1
        self._pool.clear()
        self._pool.start(_Work(work, self._arrived.emit, self._ticket))

    def follow(self, work: Callable[[], Any]) -> None:
        """Call ``work``, but let a call that is under way arrive first: asking often can so never starve the answer."""
        if self._under_way:
            self._next = work
        else:
            self.start(work)

    def wait(self) -> None:
        """Let the thread end; its result is dropped."""
        self._under_way, self._next = False, None
        self._ticket += 1
        self._pool.clear()
        self._pool.waitForDone()

    @Slot(int, object, str)
    def _arrive(self, ticket: int, result: Any, error: str) -> None:
        if ticket != self._ticket:
            return
        self._under_way, then, self._next = False, self._next, None
        if error:
            self.failed.emit(error)
        else:
            self.done.emit(result)
        if then is not None:
            self.follow(then)


class InOrder(QObject):
    """Does every piece of work in the order in which it was asked for, and announces each result in this thread."""

    done = Signal(object)
    failed = Signal(str)
    _arrived = Signal(int, object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._arrived.connect(self._arrive)

    def start(self, work: Callable[[], Any]) -> None:
        self._pool.start(_Work(work, self._arrived.emit, 0))

    def wait(self) -> None:
        """Let everything be done; results that have not arrived are dropped."""
        self._pool.waitForDone()

    @Slot(int, object, str)
    def _arrive(self, _: int, result: Any, error: str) -> None:
        if error:
            self.failed.emit(error)
        else:
            self.done.emit(result)
