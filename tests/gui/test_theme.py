"""Colours can be read, and both themes name the same ones."""

import pytest

from gui.theme import DARK, LIGHT, THEMES, contrast

GROUNDS = ("ground", "raised", "sunken", "selected")
INKS = ("text", "muted", "accent", "good", "bad", "warn")


def test_contrast_of_black_on_white_is_21():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_every_ink_can_be_read_on_every_ground(theme):
    colours = theme.colours()
    low = {
        (ink, ground): contrast(colours[ink], colours[ground])
        for ink in INKS
        for ground in GROUNDS
        if contrast(colours[ink], colours[ground]) < 4.5
    }
    assert not low
    assert contrast(theme.on_accent, theme.accent) >= 4.5
    assert contrast(theme.bad, theme.bad_ground) >= 4.5


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_line_colours_differ_and_the_first_six_are_seen_on_the_ground(theme):
    styles = [theme.line(i) for i in range(4 * len(theme.lines))]
    assert len(set(styles)) == len(styles)
    assert min(contrast(colour, theme.ground) for colour, _ in styles[:4]) >= 2.5


def test_both_themes_use_the_same_line_order():
    assert LIGHT.lines[:7] == DARK.lines[:7]
