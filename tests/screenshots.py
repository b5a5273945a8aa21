"""Pictures for the documentation: every kind of view, and each experiment's central figure beside its panel on screen.

``python -m tests.screenshots`` opens the real widgets, under xvfb-run where there is no display, and writes docs/images
and docs/gallery.md. Demo runs are computed once and kept in ``--runs``; with it, existing runs are used again.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from gui.views.base import ViewWidget

ROOT = Path(__file__).parent.parent
IMAGES, GALLERY = ROOT / "docs" / "images", ROOT / "docs" / "gallery.md"
PANEL = (640, 400)  # points of a panel's picture
LOW = 130  # its height where there is little to show
CENTRAL = {"anchor-function": "information-flow"}  # the paper's figure, where it is not the first view
MOMENT = 240  # the step of the made-up run that pictures of views show


def with_display() -> None:
    """Begin again under xvfb-run where nothing can be shown and it is installed; else draw without OpenGL."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return
    if shutil.which("xvfb-run"):
        screen = "-screen 0 1600x1200x24 +extension GLX"
        os.environ.pop("QT_QPA_PLATFORM", None)
        os.execvp(
            "xvfb-run", ["xvfb-run", "-a", "-s", screen, sys.executable, "-m", "tests.screenshots", *sys.argv[1:]]
        )
    os.environ["QT_QPA_PLATFORM"] = "offscreen"


def demo_run(name: str, folder: Path) -> Path:
    """A finished run of the experiment's first preset and arm; the kept one where there is one."""
    from lab import registry
    from lab.hosts.link import QueueLink
    from lab.hosts.run import execute
    from lab.request import Request

    cls = registry.experiment(name)
    preset, arm = next(iter(cls.presets)), next(iter(cls.arms), "")
    path = folder / f"{name}.h5"
    if not path.exists():
        knobs = cls.configure(preset, arm).model_dump(mode="json")
        request = Request(experiment=name, config=knobs, out=str(path), preset=preset, arm=arm)
        state, problem = execute(request, QueueLink(queue.Queue(), lambda messages: None))
        if state != "finished":
            raise RuntimeError(f"{name} {state}: {problem}")
    return path


def kinds() -> list[str]:
    """Take a picture of every kind of view over made-up data; their file names."""
    from gui.theme import LIGHT
    from gui.views import make_view
    from lab.views import Ribbon, Table
    from tests.gui.runs import MadeUpRun
    from tests.made_up_views import SOURCE, SPECS

    names = []
    for spec in SPECS:
        view = make_view(spec, MadeUpRun(SOURCE), LIGHT)
        names += [_picture(view, f"view-{spec.id}", LOW if isinstance(spec, (Ribbon, Table)) else PANEL[1], MOMENT)]
    return [*names, phase_diagram(), study_line()]


def phase_diagram() -> str:
    """Take a picture of a made-up study over two knobs; the file's name."""
    import numpy as np

    from gui.theme import LIGHT
    from gui.views.phase_diagram import PhaseDiagramView
    from lab.studies.diagram import Diagram
    from tests.fakes import Tiny
    from tests.made_up_views import DIAGRAM

    lr, width = np.geomspace(1e-3, 1.0, 13), np.arange(1.0, 12.0)
    mean = np.tanh(np.add.outer(0.35 * (width - 6), 1.2 * (np.log10(lr) + 1.5)))
    view = PhaseDiagramView(Tiny, LIGHT)
    view.show_table(DIAGRAM, Diagram(lr, width, mean, np.zeros_like(mean), np.ones(mean.shape, int)))
    return _kept(view, f"view-{DIAGRAM.id}")


def study_line() -> str:
    """Take a picture of a made-up study over one knob, a line for each value of another; the file's name."""
    import numpy as np

    from gui.theme import LIGHT
    from gui.views.study_line import StudyLineView
    from lab.studies.lines import StudyCurve
    from tests.fakes import Tiny
    from tests.made_up_views import LINE

    width = np.arange(1.0, 12.0)
    means = {f"lr = {lr:g}": 1 / (1 + np.exp(middle - width)) for lr, middle in ((0.1, 4), (0.01, 7))}
    ones = np.ones(len(width))
    curves = [StudyCurve(label, width, mean, 0.4 * mean * (1 - mean), 3 * ones) for label, mean in means.items()]
    view = StudyLineView(Tiny, LIGHT)
    view.show_curves(LINE, curves, [("reproduced", 0.95)])
    return _kept(view, f"view-{LINE.id}")


def _kept(view: QWidget, stem: str) -> str:
    from PySide6.QtWidgets import QApplication

    view.resize(*PANEL)
    view.show()
    QApplication.processEvents()
    view.grab().save(str(IMAGES / f"{stem}.png"))
    view.close()
    return f"{stem}.png"


def _picture(view: ViewWidget, stem: str, height: int = PANEL[1], step: int | None = None) -> str:
    """Show a view as its panel does and keep its picture; the file's name."""
    from PySide6.QtWidgets import QApplication

    view.resize(PANEL[0], height)
    view.set_step(step)
    view.show()
    for _ in range(5):  # names that need room ask for another drawing
        QApplication.processEvents()
        view.refresh()
    view.grab_png(IMAGES / f"{stem}.png", scale=1.5)
    view.close()
    return f"{stem}.png"


def experiment_pictures(name: str, path: Path) -> str:
    """Write the figure and the panel of an experiment's central view; its part of the gallery as Markdown."""
    from gui.export.figure import write_figure
    from gui.runs.stored import StoredRun
    from gui.theme import LIGHT
    from gui.views import make_view
    from lab import registry
    from lab.views import Ribbon

    cls, run = registry.experiment(name), StoredRun(str(path))
    shown = [view for view in cls.views if view.applies(run.config) and set(view.names) <= set(run.source.names())]
    first = next(view for view in shown if not isinstance(view, Ribbon) and view.primary)
    central = next((view for view in shown if view.id == CENTRAL.get(name)), first)
    figure = IMAGES / f"figure-{name}.png"
    figure.unlink(missing_ok=True)
    write_figure([path], central.id, figure, size="single", dpi=300)
    panel = _picture(make_view(central, run, LIGHT), f"panel-{name}")
    outcome = run.reader.verdict.get("outcome", "not judged")
    run.close()
    arm = run.header["arm"] or "none"
    parts = (
        f"## {cls.title}",
        cls.claim,
        f"*{cls.paper}*",
        f"The run shown: preset {run.header['preset']}, arm {arm}, {outcome}.",
        f"| {central.title}, as a figure | the same panel in the window |\n| --- | --- |\n"
        f"| ![{central.title} as a figure](images/{figure.name}) | ![The panel on screen](images/{panel}) |",
    )
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, help="folder that keeps the demo runs")
    parser.add_argument("names", nargs="*", help="experiments; all without")
    arguments = parser.parse_args()
    with_display()
    from PySide6.QtWidgets import QApplication

    from gui import style
    from gui.theme import LIGHT
    from lab import registry

    app = QApplication(sys.argv[:1])
    style.apply(app, LIGHT)
    IMAGES.mkdir(parents=True, exist_ok=True)
    names = arguments.names or sorted(registry.discover()[0])
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.runs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        parts = [experiment_pictures(name, demo_run(name, folder)) for name in names]
    views = "\n\n".join(f"![{Path(name).stem}](images/{name})" for name in kinds())
    GALLERY.write_text(
        "# Gallery\n\nThe central view of each experiment, as a figure for a paper and as its panel in the window; "
        "then every kind of view. `make screenshots` computes the runs, takes the pictures and writes this page.\n\n"
        + "\n".join(parts)
        + "\n## Every kind of view\n\n"
        f"Over made-up data.\n\n{views}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
