"""View specs: what they need to be drawn, and which of their series only say where values stand."""

import pytest

from lab.views import Curves, Distribution, Heatmap, Landscape, Profile, Scatter, Trace


@pytest.mark.parametrize(
    ("spec", "enough", "too_little"),
    [
        (Curves(("a", "b"), title="V"), {"b"}, {"c"}),
        (Scatter("a", "b", title="V"), {"a", "b"}, {"b"}),
        (Trace("a", "b", title="V"), {"a", "b"}, {"a"}),
        (Profile("x", ("a", "b"), title="V"), {"x", "b"}, {"a", "b"}),
        (Profile("x", ("a", "b"), title="V"), {"x", "a"}, {"x"}),
        (Distribution("a", grid="x", title="V"), {"a", "x"}, {"a"}),
        (Heatmap("a", rows="y", title="V"), {"a"}, {"y"}),
        (Landscape("a", x="x", y="y", trajectory="t", title="V"), {"a", "x", "y"}, {"t", "x", "y"}),
    ],
)
def test_a_view_shows_something_once_all_that_it_needs_is_recorded(spec, enough, too_little):
    assert spec.shows(enough)
    assert not spec.shows(too_little)


def test_coordinates_are_told_from_values():
    assert Profile("x", ("a",), title="V").places == ("x",)
    assert Landscape("a", x="x", y="y", title="V").places == ("x", "y")
    assert Curves(("a",), title="V").places == ()
