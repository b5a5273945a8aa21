"""A view over the slider as a film: always a folder of PNG frames, and a GIF or MP4 of them where that is wanted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gui.background import Background
from gui.dialogs import ask_to_save
from gui.inset import inset
from gui.picture import SCALES, save, twin
from gui.theme import LIGHT
from lab.stream import steps_of

FRAME = "frame-{:05d}.png"


def steps_between(view: Any, first: int, last: int, count: int) -> list[int]:
    """At most ``count`` steps from first to last, evenly spread, each one that the view has a reading of."""
    names = [name for name in view.spec.names if name in view.run.source.names()]
    read = np.unique(np.concatenate([steps_of(view.run.source, name) for name in names])) if names else np.array([0])
    read = read[(read >= first) & (read <= last)]
    if not len(read):
        return []
    return read[np.unique(np.linspace(0, len(read) - 1, min(count, len(read))).round().astype(int))].tolist()


def encoders() -> dict[str, str]:
    """Kinds of film that this machine can make, by their endings."""
    return {"png": "PNG frames", "gif": "GIF", **({"mp4": "MP4"} if shutil.which("ffmpeg") else {})}


class Recorder(QObject):
    """Draws one frame after the other while the window goes on, then has them encoded in a thread."""

    progressed = Signal(int, int)
    written = Signal(str)
    failed = Signal(str)

    def __init__(
        self, view: Any, steps: Sequence[int], out: Path, *, scale: float = 2.0, rate: int = 20, light: bool = False
    ) -> None:
        super().__init__(view)
        self.steps, self.out, self.scale, self.rate = list(steps), out, scale, rate
        self.folder = out.with_suffix("")
        self._view = twin(view, LIGHT if light else view.theme)
        self._view.hide()
        self._next = 0
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._draw_next)
        self._encoding = Background(self)
        self._encoding.done.connect(self._encoded)
        self._encoding.failed.connect(self._fail)

    def start(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._fail(f"{self.folder} cannot be made: {error.strerror}")
            return
        self._view.set_step(self.steps[0])
        self._view.draw()
        self._view.picture(self.scale)  # only now the names of lines have their room: no frame is before that
        self._timer.start()

    def stop(self) -> None:
        """Give up; frames that are written stay."""
        self._timer.stop()
        self._encoding.wait()
        self._view.deleteLater()

    def _draw_next(self) -> None:
        if self._next == len(self.steps):
            self._timer.stop()
            frames = [self.folder / FRAME.format(i) for i in range(len(self.steps))]
            self._encoding.start(lambda: encode(frames, self.out, self.rate))
            return
        self._view.set_step(self.steps[self._next])
        self._view.draw()
        try:
            save(self._view.picture(self.scale), self.folder / FRAME.format(self._next))
        except OSError as error:
            self._fail(str(error))
            return
        self._next += 1
        self.progressed.emit(self._next, len(self.steps))

    def _encoded(self, path: Path) -> None:
        self.stop()
        self.written.emit(str(path))

    def _fail(self, problem: str) -> None:
        self.stop()
        self.failed.emit(problem)


def encode(frames: Sequence[Path], out: Path, rate: int) -> Path:
    """Make a film of frames by the ending of ``out``; frames alone are a film already. Called in a thread."""
    match out.suffix.lower():
        case ".gif":
            from PIL import Image

            first, *rest = (Image.open(path).convert("RGB").quantize(256) for path in frames)
            first.save(out, save_all=True, append_images=rest, duration=round(1000 / rate), loop=0)
        case ".mp4":
            pattern = str(frames[0].parent / FRAME.replace("{:05d}", "%05d"))
            # most players want even sizes and this pixel format
            even = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
            command = ["ffmpeg", "-y", "-loglevel", "error", "-framerate", str(rate), "-i", pattern, *even, str(out)]
            done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                raise OSError(f"ffmpeg could not write {out}: {done.stderr.strip().splitlines()[-1:]}")
        case _:
            return frames[0].parent
    return out


class VideoDialog(QDialog):
    """Asks for the stretch of steps, the number of frames and the kind of film, and shows how far it is."""

    def __init__(self, view: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent or view)
        self.setWindowTitle(f"Film of {view.spec.title}")
        self.view = view
        self.recorder: Recorder | None = None
        steps = steps_between(view, 0, 2**62, 2)
        low, high = (steps[0], steps[-1]) if steps else (0, 0)
        self.first, self.last = self._spin(low, high, low), self._spin(low, high, high)
        self.frames, self.rate = self._spin(2, 10_000, 100), self._spin(1, 60, 20)
        self.kind, self.scale, self.ground = QComboBox(), QComboBox(), QComboBox()
        for ending, name in encoders().items():
            self.kind.addItem(name, ending)
        self.kind.setCurrentIndex(self.kind.count() - 1)  # what a talk shows at once
        for scale in SCALES:
            self.scale.addItem(f"{scale}x", scale)
        self.scale.setCurrentIndex(1)
        self.ground.addItem("As on screen", False)
        self.ground.addItem("Light", True)
        form = QFormLayout()
        rows = {"From step": self.first, "To step": self.last, "Frames at most": self.frames}
        rows |= {"Frames a second": self.rate, "Kind": self.kind, "Pixels a point": self.scale, "Ground": self.ground}
        for label, widget in rows.items():
            widget.setAccessibleName(label)
            form.addRow(label, widget)
        missing = "" if "mp4" in encoders() else "MP4 needs the program ffmpeg, which this machine lacks."
        self.bar, self.said = QProgressBar(textVisible=False), QLabel(missing, wordWrap=True)
        self.bar.hide()
        self.go = QPushButton("Make …")
        self.go.setProperty("primary", True)
        self.go.setEnabled(bool(steps))
        self.go.clicked.connect(self._ask)
        close = QPushButton("Close")
        close.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(close)
        buttons.addWidget(self.go)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.bar)
        layout.addWidget(self.said)
        layout.addLayout(buttons)

    def _spin(self, low: int, high: int, value: int) -> QSpinBox:
        box = QSpinBox()
        box.setRange(max(low, -(2**31)), min(high, 2**31 - 1))
        box.setValue(value)
        inset(box)
        return box

    def _ask(self) -> None:
        ending = self.kind.currentData()
        name = f"{self.view.spec.id}.{ending}" if ending != "png" else self.view.spec.id
        ask_to_save(self, "Save film", name, "", lambda path: self.make(Path(path)))

    def make(self, out: Path) -> None:
        """Record into ``out``, a film of the chosen kind whatever its name; frames go into a folder of that name."""
        if (ending := self.kind.currentData()) != "png" and out.suffix.lower() != f".{ending}":
            out = out.with_name(f"{out.name}.{ending}")
        steps = steps_between(self.view, self.first.value(), self.last.value(), self.frames.value())
        if not steps:
            self.said.setText("The view has no reading between these steps.")
            return
        self.recorder = Recorder(
            self.view, steps, out,
            scale=self.scale.currentData(), rate=self.rate.value(), light=self.ground.currentData(),
        )  # fmt: skip
        self.recorder.progressed.connect(self._progress)
        self.recorder.written.connect(lambda path: self._end(f"Written: {path}"))
        self.recorder.failed.connect(self._end)
        self.go.setEnabled(False)
        self.bar.show()
        self.said.setText("")
        self.recorder.start()

    def _progress(self, done: int, total: int) -> None:
        self.bar.setMaximum(total)
        self.bar.setValue(done)

    def _end(self, said: str) -> None:
        self.recorder = None
        self.bar.hide()
        self.said.setText(said)
        self.go.setEnabled(True)

    def reject(self) -> None:
        if self.recorder is not None:
            self.recorder.stop()
        super().reject()
