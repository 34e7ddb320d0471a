"""Who may import whom: one row a package, in import order."""

ALLOWED = {
    "utils": "",
    "core": "utils",
    "solver": "core utils",
    "costs": "core utils",
    "interop": "core utils",
    "serialization": "core solver utils",
    "notes": "core costs serialization solver utils",
    "runs": "core costs utils",
    "data": "utils numpy",
    "model": "core interop solver utils safetensors torch",
    "evaluation": "data model utils lm_eval numpy torch",
    "train": "core data evaluation model runs solver utils numpy torch",
    "probing": "core model utils psutil torch",
    "sweep": "core costs notes serialization solver utils",
    "study": "core costs runs serialization solver sweep utils",
    "engines": "core data runs study utils numpy",
    "ranking": "core runs serialization study sweep utils",
    "compare": "core costs notes serialization solver utils",
    "charts": "compare core ranking runs solver study sweep utils altair pandas",
    "export": "charts compare core costs interop notes ranking runs serialization solver study utils jinja2",
    "explorer": "charts core notes serialization solver altair ipywidgets",
    "cli": "core costs interop notes ranking runs serialization solver study sweep utils",
    "ui": "charts compare core costs engines export interop notes ranking runs serialization solver study sweep utils "
    "pyarrow streamlit",
    "slimlm": "cli core solver utils",
    "app": "charts core solver ui utils streamlit",
    "pages": "charts compare core sweep ui utils streamlit",
}
"""Package → what it imports when it is imported: packages of slimlm above it in this table, and other packages.

"slimlm" is the top of the package (`__init__` and `__main__`), "app" and "pages" are the scripts of the app.
"""

LAZY = {
    "data": "pyarrow tokenizers",
    "model": "psutil",
    "train": "safetensors",
    "study": "numpy",
    "ranking": "numpy scipy",
    "engines": "ray torch train",
    "export": "model vl_convert",
    "cli": "charts data engines evaluation export model probing torch train",
    "ui": "cli model probing",
    "slimlm": "data explorer export interop model notes probing runs",
}
"""Package → what it imports besides, inside functions or for type checkers alone."""

LIGHT = {
    "utils",
    "core",
    "solver",
    "costs",
    "interop",
    "notes",
    "serialization",
    "runs",
    "sweep",
    "study",
    "ranking",
    "compare",
    "cli",
    "slimlm",
}
"""Packages that load no heavy package when they are imported."""
