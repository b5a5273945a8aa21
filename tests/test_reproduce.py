"""The table of verdicts says what the runs said."""

import json
import math

import pytest

from tests import reproduce


def row(arm: str, seed: int, outcome_value: float, expected: str = "reproduced") -> reproduce.Row:
    check = {"name": "n|m", "value": outcome_value, "low": 1, "high": None, "threshold": "≥ 1"}
    outcome = "reproduced" if outcome_value >= 1 else "not reproduced"
    verdict = {"outcome": outcome, "reason": "", "checks": [check]}
    facts = {"experiment": "x", "preset": "p", "arm": arm, "seed": seed, "expected": expected, "verdict": verdict}
    return facts | {"seconds": 2.0 + seed, "bytes": 3_000_000, "date": "2026-01-01", "machine": "m"}


ROWS = [row("claim", 0, 2.0), row("claim", 1, 0.5), row("control", 0, 0.0, "not reproduced")]


def test_the_page_counts_the_seeds_that_ended_as_the_claim_predicts_and_shows_the_range_of_every_number():
    lines = reproduce.page(ROWS).splitlines()
    assert (
        "| x | p | claim | 0, 1 | reproduced | **1 of 2** | n\\|m 0.5 to 2 (≥ 1) | 2 s | 3.0 MB | 2026-01-01 |" in lines
    )
    assert "| x | p | control | 0 | not reproduced | 1 of 1 | n\\|m 0 (≥ 1) | 2 s | 3.0 MB | 2026-01-01 |" in lines


def test_a_number_that_some_runs_lack_is_said_to_be_missing_there():
    assert reproduce.spread([1.0, 3.0]) == "1 to 3"
    assert reproduce.spread([math.nan, 3.0, 3.0]) == "3 or nan"
    assert reproduce.spread([math.nan]) == "nan"


def test_runs_that_could_not_be_judged_are_counted_apart():
    unlike = row("claim", 2, 0.5)
    unlike["verdict"]["outcome"] = "not comparable"
    assert reproduce.share([*ROWS[:2], unlike]) == "1 of 2, 1 not comparable"
    assert reproduce.share([unlike]) == "1 not comparable"
    assert reproduce.share([unlike | {"expected": "not comparable"}]) == "1 of 1"
    assert reproduce.share([]) == "-"


def test_a_preset_that_nothing_is_claimed_of_should_end_not_comparable_and_is_no_miss():
    from lab import registry

    found = {"matching-reasoning": registry.experiment("matching-reasoning")}
    facts = {"experiment": "matching-reasoning", "preset": "counted"}
    counted = row("post-small", 0, 0.0) | facts
    counted["verdict"] |= {"outcome": "not comparable", "reason": "counted"}
    gone = row("retired", 0, 0.0) | facts
    (kept,) = reproduce.declared([counted, gone], found)
    assert kept["expected"] == "not comparable" and reproduce.as_expected(kept)
    assert "| matching-reasoning | counted | nothing claimed | - | 2 s |" in reproduce.short_table([kept])
    demo = row("post-small", 0, 0.0) | facts | {"preset": "demo"}
    assert next(reproduce.declared([demo], found))["expected"] == "reproduced"


def test_an_arm_with_runs_that_could_not_be_judged_says_so_on_the_page():
    unlike = row("claim", 2, 0.5)
    unlike["verdict"] |= {"outcome": "not comparable", "reason": "too short"}
    assert "| **1 of 1, 1 not comparable** | too short; n" in reproduce.page([ROWS[0], unlike])


def test_only_the_marked_part_of_the_readme_is_written(tmp_path, monkeypatch: pytest.MonkeyPatch):
    for name in ("KEPT", "PAGE", "README"):
        monkeypatch.setattr(reproduce, name, tmp_path / name)
    reproduce.README.write_text(f"before {reproduce.MARKS[0]}old{reproduce.MARKS[1]} after", encoding="utf-8")
    reproduce.write({reproduce.key(row): row for row in ROWS})
    text = reproduce.README.read_text(encoding="utf-8")
    assert text.startswith("before ") and text.endswith(" after") and "old" not in text
    assert "| x | p | 1 of 2 | 1 of 1 | 2 s |" in text
    assert json.loads(reproduce.KEPT.read_text(encoding="utf-8")) == ROWS


def test_every_arm_of_every_demo_preset_is_on_the_list():
    from lab import registry

    cls = registry.experiment("adam-spikes")
    listed = list(reproduce.jobs([cls], ["quadratic"], [0, 1]))
    assert listed == [("adam-spikes", "quadratic", arm, seed) for arm in cls.arms for seed in (0, 1)]
    assert next(reproduce.jobs([cls], ["of another"], [0]))[1] == next(iter(cls.presets))


def test_an_arm_that_is_the_same_beside_several_presets_is_run_once_and_what_was_not_run_is_said():
    from lab import registry

    cls = registry.experiment("river-valley")
    assert list(reproduce.settings(cls)) == [("valley", arm) for arm in cls.arms]
    run = [row(arm, 0, 1.0) | {"experiment": "river-valley", "preset": "valley"} for arm in cls.arms]
    assert reproduce.not_run([cls], run) == []
    assert reproduce.not_run([cls], run[2:]) == ["- river-valley, preset valley: valley, valley-no-noise"]


def test_the_readme_has_the_place_for_the_table():
    text = reproduce.README.read_text(encoding="utf-8")
    assert text.index(reproduce.MARKS[0]) < text.index(reproduce.MARKS[1])
