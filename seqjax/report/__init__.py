"""What finished runs say: the report on all of them.

python -m seqjax.report --runs=DIR --output=DIR [--data_dir=DIR] [--keep=DIR [--replace]]

finds every run below DIR, every row that was kept there, and what `seqjax.compare --free` and `seqjax.benchmark` wrote
there with --output, and writes report.md, report.json and index.html, one page without anything outside it. Runs that
differ only in their seed are one row: mean +- half the 95 % interval of the mean (Student's t), and how many seeds.
--keep writes each row into a small JSON file of its own, which says as much as its runs' folders (`report.kept`).

    main -> runs.find -> table.rows -> verdicts.judge, comparisons.tables -> plots, forecasts -> page.write
"""
