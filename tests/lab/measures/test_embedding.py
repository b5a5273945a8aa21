"""Embedding geometry against numpy and closed forms."""

import numpy as np
import pytest
import torch

from lab.measures.embedding import (
    covariance_eigenvalues,
    principal_components,
    similarity_contrast,
)


def random_rows(count: int, width: int) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


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
        (lambda: principal_components(random_rows(5, 3), 4), "from 1 to 3"),
        (lambda: principal_components(torch.ones(5, 3)), "all rows are equal"),
        (lambda: covariance_eigenvalues(torch.ones(1, 3)), "1 row"),
    ],
)
def test_geometry_that_does_not_exist_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_contrast_is_the_difference_of_mean_cosines():
    rows = random_rows(6, 4)
    classes = torch.tensor([0, 1, 0, 2, 1, 2])
    same = classes[:, None] == classes[:3]
    cosines = np.array([[float(a @ b / a.norm() / b.norm()) for b in rows[:3]] for a in rows])
    expected = cosines[same.numpy()].mean() - cosines[~same.numpy()].mean()
    assert similarity_contrast(rows, rows[:3], same) == pytest.approx(expected, rel=1e-12)
    axes = torch.eye(3)[classes]
    assert similarity_contrast(5 * axes, axes, classes[:, None] == classes) == pytest.approx(1.0)
    for wrong in (torch.ones(6, 3, dtype=torch.bool), torch.zeros(6, 3, dtype=torch.bool), same.T):
        with pytest.raises(ValueError, match="must mark some pairs"):
            similarity_contrast(rows, rows[:3], wrong)
    with pytest.raises(ValueError, match="no direction"):
        similarity_contrast(torch.zeros_like(rows), rows[:3], same)
