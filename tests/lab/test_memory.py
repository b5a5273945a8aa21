"""A run that cannot fit is refused before it is built; what a run freed it uses again."""

import platform
import subprocess
import sys

import pytest

from lab.config import ConfigError
from lab.experiments.river_valley import RiverValley
from lab.memory import require_memory


def test_what_does_not_fit_is_refused_with_both_sizes_and_the_rest_is_not():
    require_memory(1e9, "tables", present=2e9)
    with pytest.raises(ConfigError, match="tables: 3 GB are needed, this machine has 2 GB"):
        require_memory(3e9, "tables", present=2e9)
    with pytest.raises(ConfigError, match="this machine has"):
        require_memory(1e18, "tables")


def test_tables_larger_than_the_machine_are_refused_before_they_are_built():
    values = {"scene": "schedules", "contexts": 20_000, "tokens": 1000, "replicates": 64}
    config = RiverValley.configure("bigram", values=values)
    with pytest.raises(ConfigError, match="contexts, tokens or replicates"):
        RiverValley(config).setup()


FREED = """
import resource, sys
from lab.memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def use():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray(1 << 20) for _ in range(40)]
    del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

use()
use()
print(min(use() for _ in range(5)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")
def test_what_a_process_freed_it_uses_again():
    given, kept = (
        int(subprocess.run([sys.executable, "-c", FREED, way], capture_output=True, text=True, check=True).stdout)
        for way in ("given", "kept")
    )
    assert given > 5000 > 100 > kept, "40 MB are 10240 pages"
