"""Which module knows which: no two of `envs` need each other, not even through others."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_imports_run_in_no_circle() -> None:
    graph = grimp.build_graph("envs", cache_dir=None)
    needs = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    order = list(TopologicalSorter(needs).static_order())  # a circle raises CycleError and names it
    assert order.index("envs.values") < order.index("envs.drives.base") < order.index("envs.format")
    assert len(order) == len(graph.modules) > 40
