"""Slow work off the window's thread, one at a time: readings, of which the newest wins; and changes, all of them.

A thread never touches what may be deleted meanwhile, a page that is being closed for one, and never lets go of one of
Qt's objects, which would be deleted there, in the middle of whatever the window is doing. So it knows the number of a
piece of work and the desk that keeps it; the desk lives as long as the program.
"""

import contextlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, QThreadPool, Signal, Slot


@dataclass
class _Piece:
    """A piece of work; ``result`` and ``error`` are what it gave."""

    owner: "weakref.ref[InOrder]"
    work: Callable[[], Any]
    wanted: bool = True
    result: Any = None
    error: str = ""


class _Desk(QObject):
    """All pieces of work by number. Each is put here and taken away in the window's thread."""

    _done = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._pieces: dict[int, _Piece] = {}
        self._last = 0
        self._done.connect(self._hand_over)

    def put(self, piece: _Piece) -> int:
        self._last += 1
        self._pieces[self._last] = piece
        return self._last

    def do(self, number: int) -> None:
        """In the thread."""
        self._work_on(number)
        with contextlib.suppress(RuntimeError):  # the program is ending
            self._done.emit(number)

    def _work_on(self, number: int) -> None:
        piece = self._pieces[number]
        if not piece.wanted:
            return
        try:
            piece.result = piece.work()
        except Exception as problem:  # the thread's edge: nobody above can report it
            piece.error = f"{type(problem).__name__}: {problem}"

    @Slot(int)
    def _hand_over(self, number: int) -> None:
        piece = self._pieces.pop(number)
        owner = piece.owner()
        if owner is not None and shiboken6.isValid(owner):
            owner.arrive(piece)


@cache
def _desk() -> _Desk:
    return _Desk()


class InOrder(QObject):
    """Does every piece of work in the order in which it was asked for, and announces each result in this thread."""

    done = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)

    def start(self, work: Callable[[], Any]) -> None:
        """Call ``work`` in the thread, after what was asked for before."""
        self._ask(work)

    def wait(self) -> None:
        """Let everything be done."""
        self._pool.waitForDone()

    def arrive(self, piece: _Piece) -> None:
        """What was asked for is done."""
        if piece.error:
            self.failed.emit(piece.error)
        else:
            self.done.emit(piece.result)

    def _ask(self, work: Callable[[], Any]) -> _Piece:
        piece = _Piece(weakref.ref(self), work)
        # a function, not a QRunnable of Python: its wrapper is let go of in both threads at once and crashes
        self._pool.start(partial(_desk().do, _desk().put(piece)))
        return piece


class Background(InOrder):
    """Runs one function at a time in a thread and announces its result in this object's thread; the newest wins."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asked: _Piece | None = None  # whose result is waited for
        self._next: Callable[[], Any] | None = None

    def start(self, work: Callable[[], Any]) -> None:
        """Call ``work``; results of earlier calls that have not arrived yet are dropped."""
        self._drop()
        self._asked = self._ask(work)

    def follow(self, work: Callable[[], Any]) -> None:
        """Call ``work``, but let a call that is under way arrive first: asking often can so never starve the answer."""
        if self._asked:
            self._next = work
        else:
            self.start(work)

    def wait(self) -> None:
        """Let the thread end; its result is dropped."""
        self._drop()
        super().wait()

    def arrive(self, piece: _Piece) -> None:
        """The newest is announced; then comes what was to follow it."""
        if piece is not self._asked:
            return
        self._asked, then, self._next = None, self._next, None
        super().arrive(piece)
        if then is not None:
            self.follow(then)

    def _drop(self) -> None:
        if self._asked:
            self._asked.wanted = False
        self._asked = self._next = None
