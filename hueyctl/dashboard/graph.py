"""The stages that a job is one of, in columns: what comes before to the left."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueyctl.answers.stages import folded

if TYPE_CHECKING:
    from hueycore.model.jobs import Job

#: Columns and rows that are drawn; the others are counted.
_COLUMNS, _ROWS = 4, 12
_WIDTH, _HEIGHT, _STEP_X, _STEP_Y = 196, 46, 246, 58


class Node(NamedTuple):
    """``job`` None stands for ``number`` further ones, by state."""

    x: float
    y: float
    job: Job | None
    is_me: bool = False
    more: tuple[tuple[str, int], ...] = ()


class Graph(NamedTuple):
    """``edges`` are paths, and whether the one at their beginning is not done yet. ``before`` and
    ``after`` count stages that lie outside."""

    width: int
    height: int
    nodes: list[Node]
    edges: list[tuple[str, bool]]
    before: int
    after: int


def graph(stages: Sequence[Job], job: Job) -> Graph | None:
    """None for a job on its own."""
    if len(stages) < 2:
        return None
    layers = _layers(stages)
    mine = layers[job.seq]
    first = max(0, min(mine - 1, max(layers.values()) - _COLUMNS + 1))
    columns = _columns(stages, job, layers, first)
    tallest = max(map(len, columns.values()))
    places: dict[int, tuple[float, float]] = {}
    nodes = []
    for layer, rows in columns.items():
        top = (tallest - len(rows)) * _STEP_Y / 2 + 4
        for place, group in enumerate(rows):
            x, y = 4.0 + (layer - first) * _STEP_X, top + place * _STEP_Y
            places |= {stage.seq: (x, y) for stage in group}
            nodes.append(_node(x, y, group, job))
    last = first + _COLUMNS - 1
    return Graph(
        4 + _STEP_X * len(columns) - (_STEP_X - _WIDTH) + 4,
        tallest * _STEP_Y - (_STEP_Y - _HEIGHT) + 8,
        nodes,
        _edges(stages, places),
        sum(layer < first for layer in layers.values()),
        sum(layer > last for layer in layers.values()),
    )


def _layers(stages: Sequence[Job]) -> dict[int, int]:
    """How many stages lead to each. What comes later has a higher number: they are born together,
    in order."""
    after: dict[int, list[int]] = defaultdict(list)
    known = {stage.seq for stage in stages}
    for parent, child in _pairs(stages, known):
        after[parent].append(child)
    layers = dict.fromkeys(sorted(known), 0)
    for seq in layers:
        for child in after[seq]:
            layers[child] = max(layers[child], layers[seq] + 1)
    return layers


def _pairs(stages: Sequence[Job], known: set[int]) -> set[tuple[int, int]]:
    """Who gives its result to whom."""
    found = set()
    for stage in stages:
        for parent, child in ((stage.seq, stage.next), (stage.source, stage.seq)):
            if parent in known and child in known:
                found.add((parent, child))
    return found


def _columns(
    stages: Sequence[Job], job: Job, layers: dict[int, int], first: int
) -> dict[int, list[list[Job]]]:
    """Each row is a stage, or several that are counted only."""
    hidden = folded(stages, job)
    columns: dict[int, list[list[Job]]] = {}
    for layer in range(first, first + _COLUMNS):
        here = [stage for stage in stages if layers[stage.seq] == layer]
        shown = [stage.seq for stage in here if stage.seq not in hidden]
        kept = {job.seq, *shown[:_ROWS]}
        rest = [stage for stage in here if stage.seq not in kept]
        if here:
            columns[layer] = [[stage] for stage in here if stage.seq in kept]
            columns[layer] += [rest] if rest else []
    return columns


def _node(x: float, y: float, group: list[Job], job: Job) -> Node:
    if len(group) == 1:
        return Node(x, y, group[0], group[0].seq == job.seq)
    states = Counter(str(stage.state) for stage in group)
    return Node(x, y, None, more=tuple(states.most_common()))


def _edges(stages: Sequence[Job], places: dict[int, tuple[float, float]]) -> list[tuple[str, bool]]:
    paths: dict[str, bool] = {}
    state = {stage.seq: stage.state for stage in stages}
    for parent, child in sorted(_pairs(stages, set(places))):
        (x, y), (to_x, to_y) = places[parent], places[child]
        x, y, to_y = x + _WIDTH, y + _HEIGHT / 2, to_y + _HEIGHT / 2
        middle = (x + to_x) / 2
        path = f"M{x:g} {y:g} C {middle:g} {y:g}, {middle:g} {to_y:g}, {to_x:g} {to_y:g}"
        paths[path] = paths.get(path, False) or state[parent] != "done"
    return list(paths.items())
