"""The directive `kept`: a table of rows of `experiments/results`, so that no figure of theirs is typed.

```{kept} etth1_gru m4_hourly_gru
```
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

RESULTS = Path(__file__).parent.parent / "results"
HEADER = ("row", "test", "beside it", "the lecture", "Keras here", "parameters", "time")


@functools.cache
def rows() -> dict[str, list[dict[str, Any]]]:
    """Experiment -> its rows, as the report has them."""
    from seqjax.report import runs, table

    found = runs.find(RESULTS)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in table.rows(runs.group(found.runs), found.keras):
        by_name.setdefault(row["experiment"], []).append(row)
    return by_name


def line(row: dict[str, Any]) -> list[str]:
    """The texts below `HEADER`."""
    from seqjax.report import table

    metric = row["metric"]
    lecture = row["lecture"].get("test", {}).get(metric)
    keras = row["keras"] and table.score(row["keras"]["test"], metric)
    return [
        f"`{row['label']}`",
        f"{metric.replace('_', ' ')} {table.score(row['ours']['test'], metric)}".replace(" ±", "\u00a0±").replace(
            "± ", "±\u00a0"
        ),
        table.beside(row, "test"),
        "-" if lecture is None else table.number(lecture, metric),
        keras or "-",
        f"{row['parameters']:,}",
        table.duration(row["seconds"]),
    ]


class Kept(SphinxDirective):
    """Arguments: experiments, or none for all. Columns that no row fills are left out."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """A table. Raises an error of Sphinx: no result of an experiment is kept."""
        wanted = self.arguments[0].split() if self.arguments else sorted(rows())
        if missing := [name for name in wanted if name not in rows()]:
            raise self.error(f"no result of {', '.join(missing)} is kept in {RESULTS}")
        from seqjax.report import table

        lines = [line(row) for name in wanted for row in rows()[name]]
        columns = [k for k in range(len(HEADER)) if any(texts[k] != "-" for texts in lines)]
        text = table.pipes([[texts[k] for k in columns] for texts in (HEADER, *lines)])
        parent = nodes.container()
        self.state.nested_parse(StringList(text, source=str(RESULTS)), self.content_offset, parent)
        return parent.children


def setup(app: Any) -> Mapping[str, bool]:
    """Called by Sphinx."""
    app.add_directive("kept", Kept)
    return {"parallel_read_safe": True}
