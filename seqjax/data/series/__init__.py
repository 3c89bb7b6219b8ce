"""Series in time: tables from files, windows over them, and the sources that forecast from them."""
