"""One OpenGL context for all pictures in space, drawn off the screen: views can be moved between windows freely."""

import os
from functools import cache

from PySide6.QtCore import QCoreApplication, Slot
from PySide6.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext

LEAST = (2, 1)  # what pyqtgraph needs


class Context:
    """A context with a surface of its own. One for the whole application, so that buffers and shaders are shared."""

    def __init__(self) -> None:
        self.problem = ""
        # where Mesa draws without a graphics card it would take every core, and with them those of the runs
        os.environ.setdefault("LP_NUM_THREADS", str(max((os.cpu_count() or 1) // 2, 1)))
        self._context, self._surface = QOpenGLContext(), QOffscreenSurface()
        if QGuiApplication.platformName() in ("offscreen", "minimal") or not self._context.create():
            self.problem = "OpenGL does not work here."
            return
        self._surface.setFormat(self._context.format())
        self._surface.create()
        version = self._context.format().version()
        if not self._surface.isValid() or not self.begin():
            self.problem = "OpenGL offers no surface to draw on here."
        elif self._context.isOpenGLES() or version < LEAST:
            self.problem = f"OpenGL {version[0]}.{version[1]} is too old or a mobile one; 2.1 is needed."
        elif not _seen_by_pyopengl():
            self.problem = "OpenGL works here in a way that PyOpenGL does not see."
        self.end()

    @property
    def context(self) -> QOpenGLContext:
        return self._context

    def begin(self) -> bool:
        """Make the context current; whether that worked."""
        return self._context.makeCurrent(self._surface)

    def end(self) -> None:
        self._context.doneCurrent()


def _seen_by_pyopengl() -> bool:
    """Whether the context that is current is so for PyOpenGL: on an X server without GLX, Qt's is one of EGL."""
    from OpenGL import contextdata, error

    try:
        return bool(contextdata.getContext())
    except error.Error:
        return False


@cache
def shared() -> Context:
    """The application's context."""
    made = Context()
    app = QCoreApplication.instance()
    assert app is not None  # contexts need one
    app.aboutToQuit.connect(_release)
    return made


@Slot()
def _release() -> None:
    shared.cache_clear()  # while the application still stands: later the platform is gone


def problem() -> str:
    """Why nothing can be drawn in space, in one sentence; empty where it can."""
    return shared().problem
