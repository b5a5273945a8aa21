"""Embedding geometry against numpy and closed forms."""

import math

import numpy as np
import pytest
import torch

from lab.measures.embedding import (
    covariance_eigenvalues,
    embedding_cosines,
    mean_abs_cosine,
    principal_components,
)


def random_rows(count: int, width: int) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_random_rows_have_the_closed_form_mean_cosine():
    assert mean_abs_cosine(embedding_cosines(random_rows(2000, 64))) == pytest.approx(
        math.sqrt(2 / (64 * math.pi)), rel=0.01
    )


def test_condensed_rows_have_mean_cosine_one_whatever_their_sign():
    rows = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)[:, None] * random_rows(1, 5)
    assert mean_abs_cosine(embedding_cosines(rows)) == pytest.approx(1)


def test_a_zero_row_has_cosine_zero():
    cosines = embedding_cosines(torch.cat((random_rows(2, 4), torch.zeros(1, 4, dtype=torch.float64))))
    assert (cosines[2] == 0).all() and cosines[0, 0].item() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(30, 8), (6, 20)])
def test_components_and_spectrum_are_those_of_numpys_svd(shape):
    rows = random_rows(*shape)
    centred = rows.numpy() - rows.numpy().mean(0)
    left, singular, directions = np.linalg.svd(centred, full_matrices=False)
    found = principal_components(rows, 3)
    np.testing.assert_allclose(np.abs(found.coordinates.numpy()), np.abs(left * singular)[:, :3], atol=1e-10)
    np.testing.assert_allclose(found.coordinates, centred @ found.directions.numpy().T, atol=1e-10)
    np.testing.assert_allclose(np.abs(found.directions.numpy()), np.abs(directions[:3]), atol=1e-10)
    np.testing.assert_allclose(found.explained, (singular**2 / (singular**2).sum())[:3], atol=1e-12)
    expected = np.sort(np.linalg.eigvalsh(np.cov(rows.numpy().T)))[::-1][: min(shape)]
    np.testing.assert_allclose(covariance_eigenvalues(rows), expected, atol=1e-10)


def test_the_signs_do_not_flip_between_equal_readings():
    rows = random_rows(30, 8)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        principal_components(rows).coordinates[order], principal_components(rows[order]).coordinates
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_abs_cosine(torch.ones(1, 1)), "1 row"),
        (lambda: principal_components(random_rows(5, 3), 4), "from 1 to 3"),
        (lambda: principal_components(torch.ones(5, 3)), "all rows are equal"),
        (lambda: covariance_eigenvalues(torch.ones(1, 3)), "1 row"),
    ],
)
def test_geometry_that_does_not_exist_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
