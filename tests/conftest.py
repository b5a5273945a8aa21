"""Settings that every test shares: one torch thread, and nothing left behind that still runs."""

import gc
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYQTGRAPH_QT_LIB", "PySide6")
os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # of numpy, for the same reason as torch's below; read when it is imported

import pytest

PATIENCE = 5.0  # seconds that something started by a test may take to end after it


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """Two threads on two shared cores run 5-56 times slower than one."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def nothing_outlives_a_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Threads, child processes, Qt timers and Qt threads that a test started have ended with it."""
    threads, children = set(threading.enumerate()), set(multiprocessing.active_children())
    yield
    left = _left(
        lambda: [t.name for t in set(threading.enumerate()) - threads if not t.name.startswith("pytest_timeout")]
    )
    assert not left, f"threads outlive the test: {left}"
    left = _left(lambda: [str(c) for c in set(multiprocessing.active_children()) - children])
    assert not left, f"child processes outlive the test: {left}"
    if "qapp" in request.fixturenames:
        left = _left(_active_qt_objects)
        assert not left, f"Qt objects go on after the test: {left}"


def _left(find: Callable[[], list[str]]) -> list[str]:
    until = time.monotonic() + PATIENCE
    while (left := find()) and time.monotonic() < until:
        _let_qt_delete()
        time.sleep(0.02)
    return left


def _let_qt_delete() -> None:
    if "PySide6.QtWidgets" not in sys.modules:
        return
    from PySide6.QtCore import QCoreApplication, QEvent

    if QCoreApplication.instance() is not None:
        QCoreApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()


def _active_qt_objects() -> list[str]:
    """Running QThreads and ticking QTimers that Python knows of; a single shot about to end is no leak."""
    import shiboken6
    from PySide6.QtCore import QThread, QTimer

    # by type, because asking some modules' objects for __class__ makes them warn
    known = [o for o in gc.get_objects() if issubclass(type(o), (QTimer, QThread)) and shiboken6.isValid(o)]
    timers = [f"QTimer every {t.interval()} ms of {t.parent()}" for t in known if isinstance(t, QTimer) and _ticks(t)]
    main = QThread.currentThread()
    return timers + [str(t) for t in known if isinstance(t, QThread) and t is not main and t.isRunning()]


def _ticks(timer: object) -> bool:
    return timer.isActive() and not timer.isSingleShot()  # type: ignore[attr-defined] - isinstance was asked before
