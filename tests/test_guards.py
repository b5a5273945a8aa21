"""The guards themselves: a test that leaves a thread, a child, a timer behind, or makes Qt warn, does fail."""

import pytest

pytest_plugins = ["pytester"]

CASES = {
    "thread": "import threading, time\ndef test_x():\n    threading.Thread(target=time.sleep, args=(3,)).start()\n",
    "child": (
        "import multiprocessing, time\ndef test_x():\n"
        "    multiprocessing.get_context('fork').Process(target=time.sleep, args=(3,)).start()\n"
    ),
    "timer": (
        "from PySide6.QtCore import QTimer\nkept = []\ndef test_x(qtbot):\n"
        "    kept.append(QTimer(interval=50)); kept[0].start()\n"
    ),
    "qt warning": "from PySide6.QtCore import qWarning\ndef test_x(qtbot):\n    qWarning('careless')\n",
    "nothing": "def test_x():\n    pass\n",
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_behind_fails_the_test(case: str, pytester: pytest.Pytester, request: pytest.FixtureRequest):
    conftest = (
        (request.config.rootpath / "tests" / "conftest.py").read_text().replace("PATIENCE = 5.0", "PATIENCE = 0.2")
    )
    pytester.makeconftest(conftest)
    pytester.makeini("[pytest]\nqt_log_level_fail = WARNING\n")
    pytester.makepyfile(CASES[case])
    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xvfb")
    codes = outcome.parseoutcomes()
    assert bool(codes.get("errors") or codes.get("failed")) == (case != "nothing"), outcome.stdout.str()
