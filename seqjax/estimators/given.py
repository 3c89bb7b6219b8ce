"""X, y and weights as people give them, and what is said of those that make no sense.

Legend: N examples, T_n steps of series n, F features, D dimensions, K classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_array, column_or_1d, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from seqjax.errors import UserError


def series(estimator: Any, X: Any, *, reset: bool) -> list[np.ndarray]:
    """N series of [T_n, D] float64, NaN where a value is missing.

    Args:
      estimator: whose `n_features_in_` is checked, or set.
      X: an array [N, F] or a table: N series of F steps and one dimension; an array [N, T, D]; or a list of arrays, of
        unlike length, [T_n] or [T_n, D] each.
      reset: whether this is what is learned from.

    Raises:
      ValueError: something else, infinite, empty, or of another number of dimensions than was learned from.
    """
    if hasattr(X, "toarray"):
        raise UserError("X is sparse, and dense series are read: give X.toarray()")
    if X is None or isinstance(X, str | bytes | Mapping | set):
        raise UserError(f"X ({type(X).__name__}) is no array or list of series")
    if _is_ragged(X):
        found = [_one(own, place) for place, own in enumerate(X)]
        kind = "list"
    elif getattr(X, "ndim", 2) == 3 and not hasattr(X, "iloc"):
        options: Any = {"dtype": np.float64, "ensure_all_finite": "allow-nan"}
        found = list(np.asarray(check_array(X, allow_nd=True, **options)))
        if not X.shape[1] or not X.shape[2]:
            raise UserError(f"X of shape {X.shape} has no value: [examples, steps, dimensions] are expected")
        kind = "list"
    else:
        options = {"dtype": np.float64, "ensure_all_finite": "allow-nan", "reset": reset}
        values = np.asarray(validate_data(estimator, X, **options))
        found, kind = list(values[:, :, None]), "table"
    if kind == "list":
        _check_dimensions(estimator, found, reset)
    return found


def _is_ragged(X: Any) -> bool:
    """Whether it is a list (or an array of objects) of arrays, lists or series that are no rows of one table."""
    if isinstance(X, np.ndarray):
        if X.dtype != object or X.ndim != 1 or not len(X):
            return False
    elif not isinstance(X, list | tuple) or not len(X):
        return False
    if any(
        isinstance(own, str | bytes | Mapping) or np.ndim(_head(own)) > 2 or not hasattr(own, "__len__") for own in X
    ):
        return False
    lengths = {len(own) for own in X}
    return len(lengths) > 1 or any(hasattr(own, "shape") or (len(own) and hasattr(own[0], "__len__")) for own in X)


def _head(own: Any) -> Any:
    return own if hasattr(own, "shape") else 0


def _one(own: Any, place: int) -> np.ndarray:
    """[T, D] of one of a list."""
    try:
        values = np.asarray(own, np.float64)
    except (ValueError, TypeError) as error:
        raise UserError(f"X[{place}] is no series of numbers: {str(error).partition(chr(10))[0]}") from error
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.size:
        raise UserError(f"X[{place}] has the shape {np.shape(own)}: [steps] or [steps, dimensions] are expected")
    if np.isinf(values).any():
        raise UserError(f"X[{place}] contains infinity, at step {int(np.isinf(values).any(axis=1).argmax())}")
    return values


def _check_dimensions(estimator: Any, found: Sequence[np.ndarray], reset: bool) -> None:
    D = found[0].shape[1]
    for place, own in enumerate(found):
        if own.shape[1] != D:
            raise UserError(f"X[{place}] has {own.shape[1]} dimensions, X[0] has {D}")
    if reset:
        estimator.n_features_in_ = D
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_


def check_dimensions(found: Sequence[np.ndarray], learned: int) -> None:
    """Raises UserError: the series are of other dimensions than those that were learned from."""
    if found[0].shape[1] != learned:
        raise UserError(f"X has {found[0].shape[1]} dimensions; what was learned from had {learned}")


def texts(X: Any) -> list[str]:
    """N texts, of a list, a column, or a table of one column.

    Raises:
      UserError: something else; the message says where.
    """
    if isinstance(X, str | bytes):
        raise UserError(f"X is a single text, {X[:40]!r}: give a list of texts")
    if getattr(X, "ndim", 1) == 2:
        if X.shape[1] != 1:
            raise UserError(f"X of shape {X.shape} is no list of texts: give one column of it")
        X = X.iloc[:, 0] if hasattr(X, "iloc") else X[:, 0]
    if not hasattr(X, "__len__") or isinstance(X, Mapping | set) or getattr(X, "ndim", 1) != 1:
        raise UserError(f"X ({type(X).__name__}) is no list of texts")
    found = list(X)
    if not found:
        raise UserError("X holds no text: found array with 0 sample(s)")
    for place, own in enumerate(found):
        if not isinstance(own, str):
            raise UserError(f"X[{place}], {own!r:.40} ({type(own).__name__}), is no text")
    return [str(own) for own in found]


def classes(y: Any, count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """-> (the distinct classes [K], ascending; the number of each example's [N]).

    Raises:
      ValueError: y is no column of N classes, or of a single one.
    """
    _check_there(y, name)
    whole = getattr(getattr(y, "dtype", None), "numpy_dtype", None)  # pandas's Int64 and the like
    column = column_or_1d(y if whole is None or y.isna().any() else y.to_numpy(whole), warn=True)
    if column.dtype == object and (wrong := [own for own in column if own is None or own != own]):
        raise UserError(f"y holds {wrong[0]!r}, which is no class")
    if column.dtype == object and len(kinds := sorted({type(own).__name__ for own in column})) > 1:
        raise UserError(f"y mixes {' and '.join(kinds)}: classes of one type are expected")
    check_classification_targets(column)
    if len(column) != count:
        raise UserError(f"X and y are of unequal length: {count} and {len(column)} examples")
    found, numbers = np.unique(column, return_inverse=True)
    if len(found) < 2:
        raise UserError(f"{name} needs two classes at least; y holds one class only: {found.tolist()}")
    return found, numbers.astype(np.int32)


def numbers(y: Any, count: int, name: str) -> np.ndarray:
    """[N] float64. Raises ValueError: y is no column of N finite numbers."""
    _check_there(y, name)
    column = column_or_1d(y, warn=True)
    options: Any = {"ensure_2d": False, "dtype": np.float64, "input_name": "y"}
    found = np.asarray(check_array(column, **options))
    if len(found) != count:
        raise UserError(f"X and y are of unequal length: {count} and {len(found)} examples")
    return found


def _check_there(y: Any, name: str) -> None:
    if y is None:
        raise UserError(f"{name} requires y to be passed, but the target y is None")


def weights(
    sample_weight: Any,
    X: Any,
    count: int,
    found: tuple[np.ndarray, np.ndarray] | None = None,
    class_weight: Any = None,
) -> np.ndarray | None:
    """[N] float64, or None: all alike.

    Args:
      sample_weight: as scikit-learn's; None.
      X: N examples.
      count: N.
      found: as of `classes`.
      class_weight: None, `balanced`, or a weight by class.

    Raises:
      ValueError: they make no sense, or leave a single class.
    """
    if sample_weight is None and class_weight is None:
        return None
    del X
    rows = np.zeros((count, 1))
    whole = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    if not whole.any():
        raise UserError("sample_weight is zero everywhere: nothing is left to learn from")
    if found is not None:
        names, which = found
        if len(np.unique(which[whole > 0])) < 2:
            raise UserError("sample_weight leaves examples of one class only: two classes are needed")
        if class_weight is not None:
            whole = whole * _class_weights(class_weight, names, which)[which]
    return whole


def _class_weights(given: Any, names: np.ndarray, which: np.ndarray) -> np.ndarray:
    if not isinstance(given, Mapping) and given != "balanced":
        raise UserError(f"class_weight={given!r}: choose None, 'balanced', or a dict of weights by class")
    if isinstance(given, Mapping) and (wrong := [own for own in given if own not in names.tolist()]):
        raise UserError(f"class_weight: {wrong[0]!r} is no class of y; these are {names.tolist()}")
    return compute_class_weight(given, classes=names, y=names[which])
