"""The claim card: what the paper says, what to watch, which numbers to expect, and which arms prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QFont, QTextCharFormat, QTextCursor, QTextFormat
from PySide6.QtWidgets import QTextBrowser

if TYPE_CHECKING:
    from lab.experiment import Experiment


EXPECTED = {
    "reproduced": "the phenomenon should appear",
    "not reproduced": "control: it should not appear",
    "not comparable": "the claim says nothing about it",
}


def card(experiment: type[Experiment]) -> str:
    """The card as Markdown."""
    watch = [f"- **{view.title}**: {view.help}" for view in experiment.views if view.help]
    arms = [f"- **{name}** — {EXPECTED[arm.expect]}. {arm.note}".rstrip() for name, arm in experiment.arms.items()]
    if unclaimed := [f"*{name}*" for name, preset in experiment.presets.items() if not preset.claimed]:
        arms.append(f"\nBeside the preset {', '.join(unclaimed)} the claim says nothing, whatever the arm.")
    parts = [
        f"**{experiment.claim}**",
        f"*{experiment.paper}*",
        experiment.about,
        "#### What to watch\n" + "\n".join(watch) if watch else "",
        "#### Arms\n" + "\n".join(arms) if arms else "",
    ]
    return "\n\n".join(part for part in parts if part)


class ClaimPanel(QTextBrowser):
    """Shows the card of one experiment; links open in the browser."""

    def __init__(self) -> None:
        super().__init__(openExternalLinks=True)
        self.setAccessibleName("Claim")
        self.document().setDocumentMargin(16)
        self.document().setIndentWidth(16)
        self.setPlaceholderText("Pick an experiment to read its claim.")

    def show_experiment(self, experiment: type[Experiment] | None) -> None:
        self.setMarkdown(card(experiment) if experiment else "")
        self._quieten_headings()

    def _quieten_headings(self) -> None:
        """Headings of the text's own size: the card is read in a narrow panel."""
        cursor, block = QTextCursor(self.document()), self.document().begin()
        while block.isValid():
            if block.blockFormat().headingLevel():
                cursor.setPosition(block.position())
                cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
                characters, layout = QTextCharFormat(), block.blockFormat()
                characters.setProperty(QTextFormat.Property.FontSizeAdjustment, 0)
                characters.setFontWeight(QFont.Weight.DemiBold)
                layout.setTopMargin(16)
                cursor.mergeCharFormat(characters)
                cursor.setBlockFormat(layout)
            block = block.next()
