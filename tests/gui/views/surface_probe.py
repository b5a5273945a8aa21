"""Draws surfaces on a real platform and prints what is seen as one line of JSON."""

import json
import sys

import numpy as np
from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget

from gui.theme import DARK, LIGHT
from gui.views import landscape_3d, make_view, opengl
from gui.views.landscape import LandscapeView
from lab.stream import MemoryRun
from tests.gui.runs import MadeUpRun
from tests.gui.views.test_landscape import SPEC, bowl


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGBA8888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)
    return rows[:, : image.width(), :3].astype(int)


def covered(rgb: np.ndarray) -> float:
    """Share of pixels in strong colours: grounds, walls and texts are nearly grey."""
    return float((np.ptp(rgb, axis=-1) > 60).mean())


def point_at(rgb: np.ndarray) -> np.ndarray:
    """Places of the pixels in the point's colour."""
    return np.argwhere(np.abs(rgb - [0xD5, 0x5E, 0x00]).max(axis=-1) < 12)


def view_of(run: MemoryRun, theme=LIGHT) -> LandscapeView:
    view = make_view(SPEC, MadeUpRun(run), theme)
    assert isinstance(view, LandscapeView)
    view.resize(480, 340)
    view.show()
    QTest.qWaitForWindowExposed(view)
    view.refresh()
    view.show_surface(True)
    view.draw()
    return view


def look(view: LandscapeView) -> np.ndarray:
    return pixels(view.surface.grab().toImage())


def moving_and_at_rest() -> dict[str, bool]:
    """Whether edges are rough while the step moves, and fine in pictures and as soon as it rests."""
    view, between = view_of(bowl(steps=(0, 10))), landscape_3d.MOVING
    fine = look(view)
    taken = pixels(view.picture(1))
    landscape_3d.MOVING = 60.0
    view.set_step(0)
    view.draw()
    view.set_step(None)
    view.draw()
    rough = look(view)
    landscape_3d.MOVING = between
    seen = {
        "rough_while_moving": bool((rough != fine).any()),
        "picture_fine": bool((pixels(view.picture(1)) == taken).all()),
    }
    view.set_step(0)
    view.draw()
    view.set_step(None)
    view.draw()
    timer, loop = view.surface._at_rest, QEventLoop()
    timer.timeout.connect(loop.quit)
    if timer.isActive():
        loop.exec()
    return seen | {"fine_at_rest": bool((look(view) == fine).all())}


def main() -> None:
    app = QApplication(sys.argv)
    if opengl.problem():
        print(json.dumps({"problem": opengl.problem()}))
        return
    view = view_of(bowl(steps=(0,)))
    first = look(view)
    seen = {"problem": "", "covered": covered(first), "colours": len(np.unique(first.reshape(-1, 3), axis=0))}
    seen["point_pixels"] = len(point_at(first))
    view.set_step(20)
    view.draw()
    there = point_at(look(view)).mean(axis=0)
    seen["point_moved"] = bool(np.hypot(*(there - point_at(first).mean(axis=0))) > 20)
    view.set_step(None)
    view.draw()

    surface = view.surface
    QTest.mousePress(surface, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    QTest.mouseMove(surface, QPoint(260, 160))
    QTest.mouseRelease(surface, Qt.MouseButton.LeftButton, pos=QPoint(260, 160))
    surface.orbit(40, 10)
    seen["turned"] = float((np.abs(look(view) - first).max(axis=-1) > 20).mean())
    view.show_all()
    none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    at = QPointF(200, 150)
    wheel = QWheelEvent(
        at, surface.mapToGlobal(at), QPoint(), QPoint(0, 360), *none, Qt.ScrollPhase.NoScrollPhase, False
    )
    app.sendEvent(surface, wheel)
    seen["zoomed"] = covered(look(view)) / seen["covered"]
    view.show_all()
    seen["reset_equal"] = bool((look(view) == first).all())

    second = view_of(bowl(steps=(0,), lift=3.0), DARK)
    seen["second_covered"] = covered(look(second))
    view.surface.update()
    seen["first_again"] = bool((look(view) == first).all())
    window = QWidget()
    row = QHBoxLayout(window)
    row.addWidget(second)
    window.resize(500, 400)
    window.show()
    QTest.qWaitForWindowExposed(window)
    seen["moved_covered"] = covered(look(second))

    picture = view.picture(2)
    seen["picture"] = [picture.width(), picture.height()]
    seen["picture_covered"] = covered(pixels(picture))

    seen |= moving_and_at_rest()

    run = bowl(steps=(0,))
    loss = run.series("loss")[1][-1].copy()
    loss[:, :20] = np.nan
    run.append("loss", 50, loss[None])
    run.append("loss", 100, np.full_like(loss, np.inf)[None])
    run.append("loss", 101, np.full_like(loss, np.nan)[None])
    holed = view_of(run)
    holed.set_step(60)
    holed.draw()
    seen["holed"] = covered(look(holed))
    holed.set_step(100)
    holed.draw()
    look(holed)
    holed.set_step(None)
    holed.draw()
    seen["empty"] = covered(look(holed))
    holed.show_surface(False)
    holed.draw()
    seen["contours_again"] = holed.canvas.isVisible() and not holed.surface.isVisible() and not holed.message
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
