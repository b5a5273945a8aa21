"""The window's process lists experiments without paying for torch."""

import subprocess
import sys


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_torch_beside_lab_loads_nothing_until_it_is_used():
    code = "import lab, sys, torch; print('torch._C' in sys.modules); torch.zeros(1); print('torch._C' in sys.modules)"
    assert run(code).split() == ["False", "True"]


def test_the_import_hook_of_pyside_does_not_load_it_either():
    code = "from PySide6 import QtCore; import sys, lab, torch; print('torch._C' in sys.modules)"
    assert run(code) == "False"


def test_a_submodule_import_loads_the_package_first():
    assert run("import lab; from torch import nn; print(nn.Linear(2, 3).weight.shape[0])") == "3"


def test_an_attribute_torch_lacks_is_an_attribute_error():
    assert run("import lab, torch; print(hasattr(torch, 'no_such_thing'), torch.__name__)") == "False torch"


def test_two_threads_may_use_torch_first_when_they_load_it():
    code = (
        "import threading, lab, torch\n"
        "def work():\n"
        "    lab.load_torch(); out.append(float(torch.ones(3).sum()))\n"
        "out = []; threads = [threading.Thread(target=work) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; print(out)"
    )
    assert run(code) == str([3.0] * 8)
