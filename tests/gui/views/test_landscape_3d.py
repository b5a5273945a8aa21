"""The surface needs a platform with OpenGL, which the tests' own does not have: a child under Xvfb looks at it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


def probed(glx: str) -> dict[str, Any]:
    """What surface_probe.py saw on an X server with or without GLX, "+" or "-"."""
    if shutil.which("xvfb-run") is None:
        pytest.skip("no OpenGL: xvfb-run is missing")
    command = ["xvfb-run", "-a", "-s", f"-screen 0 1280x800x24 {glx}extension GLX", sys.executable]
    env = os.environ | {"QT_QPA_PLATFORM": "xcb", "PYTHONPATH": str(ROOT), "LIBGL_ALWAYS_SOFTWARE": "1"}
    probe = Path(__file__).with_name("surface_probe.py")
    done = subprocess.run([*command, str(probe)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1]) | {"said": done.stderr}


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What surface_probe.py saw with OpenGL."""
    result = probed("+")
    if result["problem"]:
        pytest.skip(result["problem"])
    return result


def test_where_an_x_server_lacks_glx_the_problem_is_said_though_qt_has_a_context_of_egl() -> None:
    assert "OpenGL" in probed("-")["problem"]


def test_the_surface_is_drawn_in_many_colours(seen) -> None:
    assert seen["covered"] > 0.1
    assert seen["colours"] > 200


def test_the_way_and_its_point_are_on_the_surface(seen) -> None:
    assert seen["point_pixels"] > 40
    assert seen["point_moved"]


def test_turning_and_zooming_change_the_picture_and_reset_puts_it_back(seen) -> None:
    assert seen["turned"] > 0.02
    assert seen["zoomed"] > 1.3
    assert seen["reset_equal"]


def test_several_surfaces_live_together_and_in_windows_of_their_own(seen) -> None:
    assert seen["second_covered"] > 0.1
    assert seen["first_again"]
    assert seen["moved_covered"] > 0.1


def test_pictures_are_as_fine_as_asked_for(seen) -> None:
    assert seen["picture"] == [960, 740]
    assert seen["picture_covered"] > 0.1


def test_edges_are_rough_only_while_the_step_moves_and_never_in_pictures(seen) -> None:
    assert seen["rough_while_moving"]
    assert seen["picture_fine"]
    assert seen["fine_at_rest"]


def test_holes_stay_holes_and_a_section_without_numbers_is_empty(seen) -> None:
    assert 0.02 < seen["holed"] < 0.8 * seen["covered"]
    assert seen["empty"] < 0.01


def test_the_view_goes_back_to_contours_and_drawing_is_quiet(seen) -> None:
    assert seen["contours_again"]
    assert "rror" not in seen["said"]
