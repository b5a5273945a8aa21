"""Information flow at the slider's step: tokens by layers, edges as wide as their weight, which can be masked."""

import math
import time
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QSlider, QToolButton, QWidget

from gui.flow_edges import MOST, Edge, checked, masked_edges, strongest_edges
from gui.runs.open_run import OpenRun
from gui.still_label import StillLabel
from gui.theme import Theme
from gui.views.axes import StepAxis, font_px
from gui.views.base import ViewWidget
from gui.views.flow_canvas import FlowCanvas, Graph
from gui.views.rows import Moment
from gui.views.snapshot import FRAME
from gui.views.text import short, whole, with_step
from lab.views import FlowGraph

PICKED = ("head", "token", "layer")  # kinds that this view shows and picks
SHARE = 0.1  # of the strongest edge: weaker ones are not drawn at first


class FlowGraphView(ViewWidget[FlowGraph]):
    """The graph, and beneath it the threshold, the heads, and whether they stand side by side."""

    picked = Signal(str, int)

    def __init__(self, spec: FlowGraph, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis)
        self.moment = Moment(run.source, spec.names)
        self.canvas = FlowCanvas()
        self.canvas.setAccessibleName(spec.title)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # whoever picks an edge means its keys, too
        self._weights: np.ndarray | None = None
        self._off: set[int] = set()  # heads that are not shown
        self._drawn_at = -math.inf
        layout = self.layout()
        assert layout is not None
        layout.setSpacing(0)
        layout.addWidget(self.canvas)
        layout.addWidget(self._make_controls())
        self.controls.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.canvas.hovered.connect(self._show_pointed)
        self.canvas.clicked.connect(self.lock)
        self.canvas.picked.connect(self._pick)
        self.canvas.double_clicked.connect(self.maximise_requested)
        self.canvas.menu_requested.connect(self._open_menu)
        self._keys = [self._key("Show all tokens", "A", self.show_all)]
        if spec.action is not None:
            self._keys.append(self._key("Mask the edge, or give it back", "M", self.mask_edge))
        self._paint()

    def _make_controls(self) -> QWidget:
        self.controls = QWidget()
        self.threshold = QSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0, 100)
        self.threshold.setValue(round(100 * SHARE))
        self.threshold.setMinimumWidth(40)  # the first to give way where there is little room
        self.threshold.setMaximumWidth(120)
        self.threshold.setToolTip("Edges weaker than this share of the strongest one are not drawn")
        self.threshold.setAccessibleName("Threshold of edges, in percent of the strongest")
        self.threshold.valueChanged.connect(self._later)
        self.count = StillLabel()
        self.count.setFont(font_px(12))
        self.heads = QHBoxLayout()
        self.heads.setSpacing(4)
        self.apart = QToolButton()
        self.apart.setText("Side by side")
        self.apart.setToolTip("One graph for each head")
        self.apart.setCheckable(True)
        self.apart.setFont(font_px(12))
        self.apart.toggled.connect(self._later)
        row = QHBoxLayout(self.controls)
        row.setContentsMargins(12, 2, 8, 6)
        row.setSpacing(8)
        row.addWidget(self.threshold)
        row.addWidget(self.count, 1)
        row.addLayout(self.heads)
        row.addWidget(self.apart)
        return self.controls

    def _key(self, text: str, key: str, slot) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(key))
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(slot)
        self.addAction(action)
        return action

    # Reading.

    def _pull(self) -> bool:
        new = self.history.pull() | self.moment.pull(self.axis.cursor)
        self.axis.grow(self.moment.end)
        if new:
            self._weights = None
        return new

    @Slot()
    def draw(self) -> None:
        self._drawn_at = time.monotonic()
        super().draw()

    @Slot()
    def _cursor_changed(self) -> None:
        if not self.moment.move(self.axis.cursor):
            return
        self._stale, self._weights = True, None
        if self.isVisible() and not self._soon.isActive():
            self._soon.start(math.ceil(1000 * max(0.0, self._drawn_at + FRAME - time.monotonic())))

    @Slot()
    def _range_changed(self) -> None:
        """The stretch of steps on show changes nothing here."""

    def weights(self) -> np.ndarray | None:
        """Weights (layers, heads, target, source) at the step."""
        if self._weights is None:
            row = self.moment.value(self.spec.series)
            self._weights = None if row is None else checked(row)
        return self._weights

    # Drawing.

    def _draw(self) -> bool:
        weights = self.weights()
        self.controls.setVisible(weights is not None)
        if weights is None:
            self.canvas.show_graph(None)
            return False
        layers, heads, tokens = weights.shape[:3]
        self._show_heads(heads)
        shown = [head for head in range(heads) if head not in self._off]
        edges = strongest_edges(self._picked_of(weights), shown, self.threshold.value() / 100)
        panels = [(head,) for head in shown] if self.apart.isChecked() else [tuple(shown)]
        masked = masked_edges(self.history.events, self.spec, self.axis.cursor)
        picked = {kind: self.selection.picked(kind) for kind in ("token", "layer")}
        graph = Graph(edges, layers, heads, tokens, panels, self._names(tokens), self._marks(tokens), masked, **picked)
        self.canvas.show_graph(graph)
        over = f"over {short(self.threshold.value() / 100 * edges.strongest)}"
        all_edges = f"{whole(len(edges))} edges" if len(edges) != 1 else "1 edge"
        many = f"the {MOST} strongest of {whole(len(edges) + edges.hidden)} edges" if edges.hidden else all_edges
        for said in (f"{many} {over}", many, ""):  # whole words, as many as there is room for
            self.count.setText(said)
            if self.count.needed().width() <= self.count.width():
                break
        self.count.setToolTip(f"The strongest of all edges weighs {short(edges.strongest)}")
        return True

    def _picked_of(self, weights: np.ndarray) -> np.ndarray:
        """Weights of the picked head or layer alone, of edges that touch the picked token; all where none is picked."""
        head, token, layer = (self.selection.picked(kind) for kind in PICKED)
        if head is None and token is None and layer is None:
            return weights
        kept = np.ones(weights.shape, bool)
        if layer is not None and layer < weights.shape[0]:
            kept[:] = False
            kept[layer] = True
        if head is not None and head < weights.shape[0] * weights.shape[1]:
            one = np.zeros(weights.shape, bool)
            one[divmod(head, weights.shape[1])] = True
            kept &= one
        if token is not None and token < weights.shape[2]:
            touching = np.zeros(weights.shape[2:], bool)
            touching[token] = touching[:, token] = True
            kept &= touching
        return np.where(kept, weights, 0.0)

    def _show_picked(self, kind: str) -> None:
        if kind in PICKED:
            self._later()

    @Slot(str, int)
    def _pick(self, kind: str, number: int) -> None:
        self.selection.pick(kind, number, **({"layer": number} if kind == "layer" else {"source": number}))
        self.picked.emit(kind, number)

    def _names(self, tokens: int) -> list[str]:
        row = self.moment.value(self.spec.tokens) if self.spec.tokens else None
        values = range(tokens) if row is None else np.ravel(row).tolist()
        names = [str(int(v)) if math.isfinite(v) else "?" for v in values]
        return (names + [""] * tokens)[:tokens]

    def _marks(self, tokens: int) -> list[tuple[int, str]]:
        row = self.moment.value(self.spec.marks) if self.spec.marks else None
        if row is None:
            return []
        places = np.ravel(row).tolist()
        names = (*self.spec.mark_labels, *("" for _ in places))
        return [(int(p), name) for p, name in zip(places, names, strict=False) if math.isfinite(p) and 0 <= p < tokens]

    def _show_heads(self, count: int) -> None:
        if self.heads.count() == count:
            return
        for button in self.head_buttons():
            self.heads.removeWidget(button)
            button.deleteLater()
        for head in range(count):
            button = QToolButton()
            button.setText(str(head))
            button.setFont(font_px(12))
            button.setCheckable(True)
            button.setChecked(head not in self._off)
            button.setToolTip(f"Show head {head}")
            button.setAccessibleName(f"Show head {head}")
            button.toggled.connect(self._head_toggled)
            self.heads.addWidget(button)
        self.apart.setVisible(count > 1)
        self._colour_heads()

    def head_buttons(self) -> list[QToolButton]:
        items = (self.heads.itemAt(n) for n in range(self.heads.count()))
        buttons = (item.widget() for item in items if item is not None)
        return [button for button in buttons if isinstance(button, QToolButton)]

    @Slot(bool)
    def _head_toggled(self, _: bool) -> None:
        self._off = {n for n, button in enumerate(self.head_buttons()) if not button.isChecked()}
        self._later()

    # Colours.

    def _paint(self) -> None:
        theme = self.theme
        self.canvas.set_theme(theme)
        self.controls.setStyleSheet(
            f"QWidget {{ background: {theme.ground}; }} QLabel {{ color: {theme.muted}; }}"
            f"QToolButton {{ color: {theme.text}; border: 1px solid {theme.field_edge}; border-radius: 4px;"
            f" padding: 2px 8px; }} QToolButton:checked {{ background: {theme.selected}; }}"
            f"QToolButton:hover, QToolButton:focus {{ border-color: {theme.accent}; }}"
        )
        self._colour_heads()

    def _colour_heads(self) -> None:
        for head, button in enumerate(self.head_buttons()):
            colour = self.canvas.colour(head)
            button.setStyleSheet(
                f"QToolButton {{ border: 1px solid {self.theme.field_edge}; border-bottom: 3px solid {colour};"
                f" padding: 2px 4px; min-width: 14px; }}"
                f"QToolButton:!checked {{ color: {self.theme.muted}; border-bottom-color: {self.theme.edge}; }}"
            )

    # Edges under the pointer.

    @property
    def chosen(self) -> Edge | None:
        """The edge under the pointer, else the locked one."""
        return self.canvas.pointed or self.canvas.locked

    @Slot(object)
    def lock(self, edge: Edge | None) -> None:
        """Keep showing an edge while the slider moves; None, or the same edge again, lets go."""
        self.canvas.locked = None if edge == self.canvas.locked else edge
        self.canvas.update()
        locked, weights = self.canvas.locked, self.weights()
        if locked is not None and weights is not None:
            number = locked.layer * weights.shape[1] + locked.head
            self.selection.pick("head", number, **locked._asdict())
            self.picked.emit("head", locked.head)
        else:
            self.selection.pick("head", None)
        self._move_cursor()

    @Slot(object)
    def _show_pointed(self, _: Edge | None) -> None:
        self._move_cursor()

    def weight(self, edge: Edge) -> float:
        """Weight of an edge at the step; NaN where there is none."""
        weights = self.weights()
        known = weights is not None and all(at < size for at, size in zip(edge, weights.shape, strict=True))
        return float(weights[edge]) if known and weights is not None else math.nan

    def _move_cursor(self) -> None:
        parts, edge, step = [], self.chosen, self.moment.step
        if edge is not None and self.canvas.graph is not None:
            name, ends = self.canvas.graph.names, (edge.source, edge.target)
            parts.append("masked" if self.canvas.graph.is_masked(edge) else f"<b>{short(self.weight(edge))}</b>")
            parts.append("&nbsp;→&nbsp;".join(name[at] for at in ends if at < len(name)))
            parts.append(f"layer&nbsp;{edge.layer}, head&nbsp;{edge.head}")
            parts.append("positions&nbsp;" + "&nbsp;→&nbsp;".join(map(str, ends)))
        if step is not None:
            parts.append(with_step("", step, self.theme, self.history.last_act(step)))
        self._read_out("&nbsp;&nbsp; ".join(parts))

    @property
    def can_mask(self) -> bool:
        """Whether a click can reach the network: that of a live run, or of a branch of the stored one."""
        return self.spec.action is not None and (self.run.live or bool(self.run.path))

    @Slot()
    def mask_edge(self) -> None:
        """Mask the chosen edge of a live run, or give it back; ask for a branch of a stored one that begins with it."""
        edge = self.chosen
        if edge is None or not self.can_mask or self.spec.action is None:
            return
        if self.run.live:
            self.run.act(self.spec.action, edge._asdict())
        else:
            self.branch_requested.emit(self.spec.action, edge._asdict())

    @Slot()
    def clear_masks(self) -> None:
        """Give all masked edges back."""
        if self.spec.clear is not None and self.run.live:
            self.run.act(self.spec.clear, {})

    @Slot()
    def show_all(self) -> None:
        """Show every token."""
        self.canvas.sight = None
        self.canvas.redraw()

    # Menu, settings, numbers.

    @Slot(QPointF)
    def _open_menu(self, place: QPointF) -> None:
        self.menu().popup(place.toPoint())

    def menu(self) -> QMenu:
        menu = super().menu()
        menu.addSeparator()
        edge, graph = self.chosen, self.canvas.graph
        if self.spec.action is not None:
            back = edge is not None and graph is not None and graph.is_masked(edge)
            said = f"layer {edge.layer}, head {edge.head}, {edge.source} → {edge.target}" if edge else "point at one"
            where = "" if self.run.live else " in a branch"
            mask = QAction(f"{'Give back' if back else 'Mask'} this edge{where} ({said})", menu)
            # the pointer leaves the edge while the menu is open
            mask.triggered.connect(self._mask_later(edge))
            mask.setEnabled(edge is not None and self.can_mask)
            menu.addAction(mask)
        if self.spec.clear is not None:
            clear = QAction("Clear all masks", menu)
            clear.triggered.connect(self.clear_masks)
            clear.setEnabled(self.run.live)
            menu.addAction(clear)
        menu.addAction(self._keys[0])
        return menu

    def _mask_later(self, edge: Edge | None):
        def mask() -> None:
            self.canvas.locked, self.canvas.pointed = edge, None
            self.mask_edge()

        return mask

    def settings(self) -> dict[str, Any]:
        return {"threshold": self.threshold.value(), "off": sorted(self._off), "apart": self.apart.isChecked()}

    def restore(self, settings: dict[str, Any]) -> None:
        self.threshold.setValue(int(settings.get("threshold", 100 * SHARE)))
        self._off = {int(head) for head in settings.get("off", [])}
        for head, button in enumerate(self.head_buttons()):
            button.setChecked(head not in self._off)
        self.apart.setChecked(bool(settings.get("apart", False)))
        self._later()

    def numbers(self) -> str:
        if self.canvas.graph is None:
            return ""
        edges = self.canvas.graph.edges
        rows = [
            "\t".join(map(str, [*place, repr(weight)]))
            for place, weight in zip(edges.places[::-1].tolist(), edges.weights[::-1].tolist(), strict=True)
        ]
        return "\n".join(["layer\thead\ttarget\tsource\tweight", *rows])
