from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget

from gui.dialogs import ask_for_folder, ask_to_open, ask_to_save

KINDS = "PDF (*.pdf);;Run files (*.h5 *.hdf5);;All files (*)"


@pytest.fixture
def parent(qtbot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


def shown(parent: QWidget) -> QFileDialog:
    (dialog,) = parent.findChildren(QFileDialog)
    return dialog


def test_a_name_without_an_ending_gets_that_of_the_chosen_kind(parent, tmp_path: Path):
    got: list[str] = []
    ask_to_save(parent, "Save", "figure", KINDS, got.append, folder=str(tmp_path))
    dialog = shown(parent)
    assert Path(dialog.directory().absolutePath()) == tmp_path and dialog.isVisible()
    endings = []
    for kind in dialog.nameFilters():
        dialog.filterSelected.emit(kind)
        endings.append(dialog.defaultSuffix())
    assert endings == ["pdf", "h5", ""]
    dialog.filterSelected.emit(dialog.nameFilters()[0])
    dialog.selectFile("figure")
    dialog.accept()
    assert got == [str(tmp_path / "figure.pdf")]


def test_files_are_handed_over_one_by_one_and_nothing_when_one_changes_ones_mind(parent, qtbot, tmp_path: Path):
    for name in "ab":
        (tmp_path / f"{name}.h5").touch()
    got: list[str] = []
    ask_to_open(parent, "Open", KINDS, got.append, folder=str(tmp_path), many=True)
    dialog = shown(parent)
    assert dialog.fileMode() is QFileDialog.FileMode.ExistingFiles
    dialog.filesSelected.emit([str(tmp_path / "a.h5"), str(tmp_path / "b.h5")])
    dialog.reject()
    qtbot.waitUntil(lambda: not parent.findChildren(QFileDialog))
    assert got == [str(tmp_path / "a.h5"), str(tmp_path / "b.h5")]


def test_a_folder_is_asked_for(parent, tmp_path: Path):
    got: list[str] = []
    ask_for_folder(parent, "Watch", got.append, folder=str(tmp_path))
    dialog = shown(parent)
    dialog.accept()
    assert got == [str(tmp_path)]
