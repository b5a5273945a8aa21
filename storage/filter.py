"""Which runs to show: plain words, or an expression such as ``lr > 0.01 and verdict == "reproduced"``.

An expression is parsed into Python's syntax tree, of which a short list of nodes is admitted; it is walked, never
evaluated as code. It knows the run's facts and knobs by their names, numbers such as ``last(train_loss)``, arithmetic,
comparisons, ``in``, ``and``, ``or`` and ``not``; a text alone is looked for in everything that the run says of itself.
A comparison with what a run does not have is false.
"""

import ast
import difflib
import math
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .numbers import STATISTICS, Number

LONGEST = 2000
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, among: item in among,
    ast.NotIn: lambda item, among: item not in among,
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_SIGNS = ("==", "!=", "<", ">", " in ", '"')

Look = Callable[[str | Number], Any]
"""Gives a fact or knob by name, or a number; None where the run has none. The name "" gives all text, casefolded."""
Value = Callable[[Look], Any]


class FilterError(ValueError):
    """An expression that cannot be used: one line that says why."""


def compiled(text: str, names: Collection[str], series: Collection[str]) -> Callable[[Look], bool]:
    """Whether a run matches ``text``.

    Args:
        text: Words, all of which must occur; or an expression, recognised by a comparison or a quoted text.
        names: Facts and knobs that some run has.
        series: Scalar series that some run has.

    Raises:
        FilterError: An expression that is no such, or asks for what no run has.
    """
    if not is_expression(text):
        words = text.casefold().split()
        return lambda look: all(word in look("") for word in words)
    value = _Reading(names, series).condition(_parsed(text))
    return lambda look: bool(value(look))


def unknown(name: str, known: Collection[str], what: str) -> str:
    """Says that no run has this name, and which are near it."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"no run has a {what} {name}" + (f"; did you mean {', '.join(near)}?" if near else "")


def is_expression(text: str) -> bool:
    """Whether ``text`` is meant as an expression."""
    return any(sign in text for sign in _SIGNS)


def numbers_in(text: str) -> list[Number]:
    """The numbers that an expression asks for; empty for words and for what cannot be parsed."""
    found: list[Number] = []
    if is_expression(text):
        try:
            nodes = list(ast.walk(_parsed(text)))
            found = [_number(node) for node in nodes if isinstance(node, ast.Call)]
        except FilterError:
            return []
    return list(dict.fromkeys(found))


def _parsed(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise FilterError(f"the filter is longer than {LONGEST} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        rest = " ".join(text.strip()[error.offset - 1 :].split()) if error.offset else ""
        said = f"{error.msg} at “{rest}”" if rest else "it is not finished"
        raise FilterError(f"not an expression: {said}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise FilterError(f"not an expression: {error}") from None


def _number(node: ast.Call) -> Number:
    """``last(train_loss)`` or ``mean(train_loss, 20)``."""
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in STATISTICS:
        raise FilterError(f"there is no {name or 'such call'}(); there are {', '.join(STATISTICS)}")
    match node.args:
        case [ast.Name(id=series)] if not node.keywords:
            count = None
        case [ast.Name(id=series), ast.Constant(value=int() as count)] if not node.keywords and count >= 0:
            pass
        case _:
            raise FilterError(f"{name}() takes the name of a series; mean and at also a whole number")
    try:
        return Number(series, name, count)
    except ValueError as error:
        raise FilterError(str(error)) from None


class _Reading:
    """Turns admitted nodes into functions of a run."""

    def __init__(self, names: Collection[str], series: Collection[str]) -> None:
        self._names, self._series = names, series

    def condition(self, node: ast.expr, depth: int = 0) -> Value:
        """A node where true or false is wanted: a text stands for its occurrence."""
        if depth > 50:
            raise FilterError("the filter is nested too deeply")
        match node:
            case ast.BoolOp(op=op, values=parts):
                conditions = [self.condition(part, depth + 1) for part in parts]
                together = all if isinstance(op, ast.And) else any
                return lambda look: together(condition(look) for condition in conditions)
            case ast.UnaryOp(op=ast.Not(), operand=part):
                inner = self.condition(part, depth + 1)
                return lambda look: not inner(look)
            case ast.Constant(value=str() as word):
                word = word.casefold()
                return lambda look: word in look("")
        return self.value(node, depth)

    def value(self, node: ast.expr, depth: int) -> Value:
        if depth > 50:
            raise FilterError("the filter is nested too deeply")
        match node:
            case ast.Compare(left=left, ops=ops, comparators=rights):
                return self._comparison([left, *rights], ops, depth + 1)
            case ast.Constant(value=str() | int() | float() | bool() | None as constant):
                return lambda look: constant
            case ast.Name(id=name):
                return self._named(name)
            case ast.Call():
                number = _number(node)
                self._must_know(number.series, self._series, "series")
                return lambda look: look(number)
            case ast.UnaryOp(op=ast.USub(), operand=part):
                inner = self.value(part, depth + 1)
                return lambda look: _arithmetic(operator.sub, 0, inner(look))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                one, other, act = self.value(left, depth + 1), self.value(right, depth + 1), _ARITHMETIC[type(op)]
                return lambda look: _arithmetic(act, one(look), other(look))
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                values = [self.value(part, depth + 1) for part in parts]
                return lambda look: tuple(value(look) for value in values)
        raise FilterError(f"{ast.unparse(node)} cannot be used in a filter")

    def _named(self, name: str) -> Value:
        if name in ("true", "false", "none"):
            constant = {"true": True, "false": False, "none": None}[name]
            return lambda look: constant
        self._must_know(name, self._names, "fact or knob")
        return lambda look: look(name)

    def _must_know(self, name: str, known: Collection[str], what: str) -> None:
        if name not in known:
            raise FilterError(unknown(name, known, what))

    def _comparison(self, parts: list[ast.expr], ops: list[ast.cmpop], depth: int) -> Value:
        if any(type(op) not in _COMPARE for op in ops):
            raise FilterError("write == and != to compare")
        values = [self.value(part, depth) for part in parts]
        first, rest = values[0], [(value, _COMPARE[type(op)]) for value, op in zip(values[1:], ops, strict=True)]
        asks_for_none = any(isinstance(part, ast.Constant) and part.value is None for part in parts) or any(
            isinstance(part, ast.Name) and part.id == "none" for part in parts
        )

        def holds(look: Look) -> bool:
            one = first(look)
            for value, act in rest:
                other = value(look)
                if (one is None or other is None) and not asks_for_none:
                    return False
                try:
                    if not act(one, other):
                        return False
                except TypeError:  # a text and a number: neither smaller nor within
                    return False
                one = other
            return True

        return holds


def _arithmetic(act: Callable[[Any, Any], Any], one: Any, other: Any) -> float | None:
    """Of two numbers; None where one is missing or is none, or the result is not defined."""
    if not (isinstance(one, int | float) and isinstance(other, int | float)):
        return None
    try:
        result = act(float(one), float(other))
    except (ArithmeticError, OverflowError):
        return None
    return None if math.isnan(result) else result
