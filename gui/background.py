"""Slow work off the window's thread, one at a time: readings, of which the newest wins; and changes, all of them.

Qt's objects must be let go of in the window's thread: a thread that held the last reference to a run or a page would
delete it there, in the middle of whatever the window is doing. So a thread is told a number only, and keeps nothing.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot


class _Jobs:
    """What is to be done and what it gave, by number; the window's side, which alone takes anything out."""

    def __init__(self) -> None:
        self.work: dict[int, Callable[[], Any]] = {}
        self.results: dict[int, tuple[Any, str]] = {}

    def do(self, number: int) -> None:
        """In the thread."""
        try:
            self.results[number] = self.work[number](), ""
        except Exception as problem:  # the thread's edge: nobody above can report it
            self.results[number] = None, f"{type(problem).__name__}: {problem}"

    def take(self, number: int) -> tuple[Any, str]:
        """The result of a piece of work; it and all before it are over, done or dropped."""
        result = self.results[number]
        for over in [known for known in self.work if known <= number]:
            del self.work[over]
            self.results.pop(over, None)
        return result


class _Work(QRunnable):
    def __init__(self, jobs: _Jobs, number: int, report: Callable[[int], None]) -> None:
        super().__init__()
        self._jobs, self._number, self._report = jobs, number, report

    def run(self) -> None:
        self._jobs.do(self._number)
        with contextlib.suppress(RuntimeError):  # whoever asked is gone
            self._report(self._number)


class InOrder(QObject):
    """Does every piece of work in the order in which it was asked for, and announces each result in this thread."""

    done = Signal(object)
    failed = Signal(str)
    _arrived = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._jobs = _Jobs()
        self._last = 0  # number of the newest piece of work
        self._arrived.connect(self._arrive)

    def start(self, work: Callable[[], Any]) -> None:
        """Call ``work`` in the thread, after what was asked for before."""
        self._last += 1
        self._jobs.work[self._last] = work
        self._pool.start(_Work(self._jobs, self._last, self._arrived.emit))

    def wait(self) -> None:
        """Let everything be done."""
        self._pool.waitForDone()

    @Slot(int)
    def _arrive(self, number: int) -> None:
        self._announce(*self._jobs.take(number))

    def _announce(self, result: Any, error: str) -> None:
        if error:
            self.failed.emit(error)
        else:
            self.done.emit(result)


class Background(InOrder):
    """Runs one function at a time in a thread and announces its result in this object's thread; the newest wins."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wanted = 0  # number of the work whose result is waited for; 0 for none
        self._next: Callable[[], Any] | None = None

    def start(self, work: Callable[[], Any]) -> None:
        """Call ``work``; results of earlier calls that have not arrived yet are dropped."""
        self._pool.clear()
        self._next = None
        super().start(work)
        self._wanted = self._last

    def follow(self, work: Callable[[], Any]) -> None:
        """Call ``work``, but let a call that is under way arrive first: asking often can so never starve the answer."""
        if self._wanted:
            self._next = work
        else:
            self.start(work)

    def wait(self) -> None:
        """Let the thread end; its result is dropped."""
        self._wanted, self._next = 0, None
        self._pool.clear()
        super().wait()

    @Slot(int)
    def _arrive(self, number: int) -> None:
        result, error = self._jobs.take(number)
        if number != self._wanted:
            return
        self._wanted, then, self._next = 0, self._next, None
        self._announce(result, error)
        if then is not None:
            self.follow(then)
