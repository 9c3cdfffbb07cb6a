"""Was what was planted found again? Each planted element beside the unit that is matched to it."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

__all__ = ["matched_correlations"]


def matched_correlations(
    planted: Float[np.ndarray, "element pixel"], found: Float[np.ndarray, "unit pixel"], *, signed: bool = False
) -> Float[np.ndarray, " element"]:
    """Correlation over pixels of each planted element with a unit of its own, matched so that their sum is largest.

    An element without a unit, where there are fewer, has 0; so has one whose unit does not vary over pixels. Scales
    are free, which a Poisson code leaves open.

    Parameters
    ----------
    planted, found
        Rows of the dictionary (loading matrix) that made the data, and of a trained decoder.
    signed
        Whether a unit may also be the negative of an element: for codes of both signs.

    Notes
    -----
    Matching by the Hungarian method: Kuhn 1955.
    """
    alike = _standard(planted) @ _standard(found).T
    alike = np.abs(alike) if signed else alike
    matched = np.zeros(len(planted))
    element, unit = linear_sum_assignment(alike, maximize=True)
    matched[element] = alike[element, unit]
    return matched


def _standard(rows):
    """Rows less their mean, of norm 1 where they vary."""
    centred = np.asarray(rows, np.float64) - np.mean(rows, axis=1, keepdims=True, dtype=np.float64)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)
