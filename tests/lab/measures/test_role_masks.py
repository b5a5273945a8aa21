"""Masks kept by role, on the circuit whose every edge is known."""

import pytest
import torch

from lab.config import ConfigError
from lab.measures.ablation import last_token_accuracy
from lab.measures.role_masks import RoleMasks, role_at
from tests.lab.measures.shift_circuit import LENGTH, sequences, shift_circuit

TOKENS, ANSWERS, KEY = sequences()
ROLES = {"anchor": KEY - 1, "key": KEY, "last": torch.full_like(KEY, LENGTH - 1)}


def fresh() -> RoleMasks:
    return RoleMasks(layers=2, heads=1, length=LENGTH)


def accuracy(masks: RoleMasks) -> float:
    model = shift_circuit()
    with masks.on(model, ROLES):
        inside = last_token_accuracy(model, TOKENS, ANSWERS)
    assert not model.ablation
    return inside


def test_a_position_is_named_by_its_role_or_by_itself():
    assert [role_at(ROLES, 1, at) for at in range(LENGTH)] == ["0", "1", "anchor", "key", "4", "last"]


def test_an_edge_pointed_at_in_one_sequence_is_cut_wherever_its_roles_stand():
    masks = fresh()
    masks.toggle_edge(1, LENGTH - 1, 2, None, roles=ROLES, row=0)
    assert accuracy(masks) == 0
    masks.toggle_edge(1, LENGTH - 1, 4, None, roles=ROLES, row=2)  # the same roles, pointed at elsewhere
    assert not masks and accuracy(masks) == 1


def test_an_edge_between_plain_positions_spares_the_circuits_that_stand_there_elsewhere():
    masks = fresh()
    masks.toggle_edge(1, LENGTH - 1, 3, None, roles=ROLES, row=0)  # key of the second sequence, anchor of the third
    (edge,) = masks.edges_in(ROLES)
    assert edge.target.tolist() == [5, 0, 0] and edge.source.tolist() == [3, 5, 5]
    assert accuracy(masks) == 1


def test_a_role_that_a_sequence_lacks_cuts_nothing_there():
    masks = fresh()
    masks.toggle_edge(1, LENGTH - 1, 2, None, roles=ROLES, row=0)
    (edge,) = masks.edges_in(ROLES | {"key": torch.tensor([2, -1, 4])})
    assert edge.target.tolist() == [5, 0, 5] and edge.source.tolist() == [2, 5, 4]


@pytest.mark.parametrize("layer", [0, 1])
def test_a_masked_head_takes_the_answer_away_until_all_is_cleared(layer: int):
    masks = fresh()
    masks.toggle_head(layer, 0)
    assert accuracy(masks) < 1
    masks.clear()
    assert accuracy(masks) == 1


@pytest.mark.parametrize("edge", [(2, 3, 1, None), (0, 3, 1, 1), (0, 1, 3, None), (0, 6, 1, 0), (0, 3, -1, 0)])
def test_an_edge_that_is_not_there_is_refused(edge: tuple[int, int, int, int | None]):
    masks = fresh()
    with pytest.raises(ConfigError):
        masks.toggle_edge(*edge, roles=ROLES, row=0)
    assert not masks


def test_masks_come_back_from_their_state():
    masks, again = fresh(), fresh()
    masks.toggle_edge(1, 5, 2, 0, roles=ROLES, row=0)
    masks.toggle_head(0, 0)
    again.load_state_dict(masks.state_dict())
    assert (again.edges, again.heads) == (masks.edges, masks.heads) == ([(1, "last", "key", 0)], [(0, 0)])
