"""Every command as data: what it is called, its keys, its icon, and the method of the window that it calls."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from gui.icons import put
from gui.theme import Theme


@dataclass(frozen=True)
class Command:
    """One thing the user can ask for.

    Attributes:
        calls: The window's method, or one of a part of it, by a dotted name.
        needs: What must be there for it: a run on screen, a live one, or nothing.
        gap: Whether a menu draws a line above it.
    """

    id: str
    text: str
    calls: str
    menu: Literal["File", "Run", "View", "Help"]
    shortcut: str = ""
    icon: str = ""
    needs: Literal["", "run", "live"] = ""
    gap: bool = False

    @property
    def plain(self) -> bool:
        """Whether its key is one that fields, buttons and lists want first. The window hears what they leave over."""
        return self.shortcut == "Space" or len(self.shortcut) == 1


COMMANDS = (
    Command("open", "Open run file …", "open_file", "File", "Ctrl+O", "open"),
    Command("open-study", "Open study …", "open_study", "File", "", "open"),
    Command("reveal", "Show the runs folder", "reveal_folder", "File", "", "folder"),
    Command("close-tab", "Close this run", "lab.close_tab", "File", "Ctrl+W", "close", "run"),
    Command(
        "shoot-window", "Save picture of the window", "pictures.save_window", "File", "Ctrl+Shift+S", "camera", gap=True
    ),
    Command("picture", "Take a picture …", "pictures.ask", "File", "", "camera"),
    Command("copy-window", "Copy picture of the window", "pictures.copy_window", "File", "Ctrl+Shift+C", "copy"),
    Command("shoot-run", "Save picture of the run's views", "pictures.save_run", "File", "", "camera", "run"),
    Command("copy-run", "Copy picture of the run's views", "pictures.copy_run", "File", "", "copy", "run"),
    Command("quit", "Quit", "close", "File", "Ctrl+Q", gap=True),
    Command("run", "Run / pause", "lab.run_or_pause", "Run", "Space", "run"),
    Command("queue-run", "Put in the queue", "lab.put_in_queue", "Run", "Q", "library"),
    Command("step", "One step", "one_step", "Run", ".", "step", "live"),
    Command("stop", "Stop", "stop", "Run", "Ctrl+.", "stop", "live"),
    Command("branch", "Branch here", "lab.transport.branch", "Run", "B", "branch", "run"),
    Command("go-to-step", "Go to the step shown: take the live run back", "go_to_step", "Run", "G", "reset", "live"),
    Command("replay", "Run again with its events", "lab.replay", "Run", "Ctrl+R", "loop", "run"),
    Command("beside", "Set another run beside …", "show_beside", "Run", "K", "compare", "run"),
    Command("overlay", "Lay the runs side by side over each other", "overlay", "Run", "O", "compare", "run"),
    Command("measure", "Measure afterwards …", "lab.measure", "Run", "", "search", "run"),
    Command("checkpoint", "Keep a checkpoint now", "checkpoint", "Run", "", "star", "live"),
    Command("study", "Study over knobs …", "new_study", "Run", "Ctrl+Shift+R", "compare", gap=True),
    Command("claim", "Run this paper's claim …", "run_claim", "Run", "", "check"),
    Command("scheduler", "Where studies compute …", "lab.studies.ask_scheduler", "Run", "", "device"),
    Command(
        "previous-event", "Previous event", "lab.transport.previous_event", "Run", "[", "chevron-left", "run", gap=True
    ),
    Command("next-event", "Next event", "lab.transport.next_event", "Run", "]", "chevron-right", "run"),
    Command("play", "Play the recorded run, or hold", "lab.transport.play_or_hold", "Run", "P", "run", "run"),
    Command("loop", "Play again from the start", "lab.transport.loop_button.toggle", "Run", "L", "loop", "run"),
    Command("lab", "Lab", "places.go_lab", "View", "Ctrl+1", "lab"),
    Command("library", "Library", "places.go_library", "View", "Ctrl+2", "library"),
    Command("compare", "Compare", "places.go_compare", "View", "Ctrl+3", "compare"),
    Command("figures", "Figures", "places.go_figures", "View", "Ctrl+4", "figures"),
    Command("catalogue", "Catalogue panel", "toggle_catalogue", "View", "Ctrl+Shift+1", "panels", gap=True),
    Command("recent", "Recent runs panel", "toggle_recent", "View", "Ctrl+Shift+2", "panels"),
    Command("knobs", "Knobs panel", "toggle_knobs", "View", "Ctrl+Shift+3", "panels"),
    Command("cards", "Claim, verdict and log panel", "toggle_cards", "View", "Ctrl+Shift+4", "panels"),
    Command("queue", "Queue panel", "toggle_queue", "View", "Ctrl+Shift+5", "panels"),
    Command("reset-layout", "Reset the layout", "reset_layout", "View", "", "reset"),
    Command("theme", "Light / dark", "switch_theme", "View", "Ctrl+Shift+L", "theme", gap=True),
    Command("full-screen", "Full screen", "toggle_full_screen", "View", "F11", "fullscreen"),
    Command("finder", "Find anything …", "show_finder", "Help", "Ctrl+P", "search"),
    Command("shortcuts", "Keyboard shortcuts", "show_shortcuts", "Help", "?", "keyboard"),
    Command("welcome", "Welcome page", "show_welcome", "Help", "", "question"),
    Command("about", "About", "show_about", "Help"),
)


def make_actions(window: QWidget, theme: Theme, commands: Iterable[Command] = COMMANDS) -> dict[str, QAction]:
    """One QAction per command, connected to the window's method of that name."""
    actions = {}
    for command in commands:
        action = QAction(command.text, window)
        action.setObjectName(command.id)
        action.setMenuRole(QAction.MenuRole.NoRole)
        if command.shortcut:
            action.setShortcut(QKeySequence(command.shortcut))
            context = Qt.ShortcutContext
            action.setShortcutContext(context.WidgetShortcut if command.plain else context.WindowShortcut)
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{command.text}  ({keys})" if keys else command.text)
        if command.icon:
            put(action, command.icon, theme)
        action.triggered.connect(lambda _=False, find=attrgetter(command.calls): find(window)())
        window.addAction(action)
        actions[command.id] = action
    return actions
