"""The lecture, executed: its formulas as functions, its claims measured, all of it bound into one book.

python -m seqjax.lecture --output=book                       # book/index.html, from kept results
python -m seqjax.lecture --output=book --chapter=vanishing   # one chapter
python -m seqjax.lecture --output=book --fresh               # rows of sample data are trained anew and judged
python -m seqjax.lecture --check=exercise.py                 # are the functions of the exercises right?

The book is one page without anything outside it, for light and dark, for a phone and for a desk. Where a result is not
kept it says so, with the command that measures it.

    __main__ -> book.write -> chapters (section.Section) -> page.whole;   --check -> check -> trial, in its own process
"""
