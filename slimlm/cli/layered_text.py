"""A model whose layers differ, as text or JSON."""

import json

from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION
from slimlm.core.layered import NOT_BUILT, LayeredModel
from slimlm.core.table import component_rows, percent
from slimlm.costs.layered import layered_costs


def layered_json(model: LayeredModel) -> str:
    """Return name, counts and layers of a model as JSON."""
    account = model.account
    record = {
        "name": model.name,
        "origin": model.origin,
        "remarks": list(model.remarks),
        "config": dict(model.config),
        "total_params": account.total_params,
        "active_params": account.active_params,
        "embedding_ratio": account.embedding_ratio,
        "components": {part.key: part.params for part in account.components},
        "kv_numbers_per_token": model.cache_per_token,
        **({"kv_numbers_of_one_sequence": model.kv_numbers(model.max_seq_length)} if model.windows else {}),
        "state_numbers": model.state,
        "layers": [
            {"kind": layer.kind, "params": layer.params, "kv_numbers_per_token": layer.cache_per_token}
            | ({"window": layer.window} if layer.window else {})
            for layer in model.layers
        ],
    }
    return json.dumps(record, indent=2)


def layered_text(model: LayeredModel) -> str:
    """Return name, remarks, parameter table and memory of a model as text."""
    rows = [
        (row.component.name, row.layers_text, f"{row.params:,}", row.share_text)
        for row in component_rows(model.account)
    ]
    cells = [
        ("Component", "per layer × layers", "Parameters", "Share"),
        *rows,
        ("TOTAL", "", f"{model.total_params:,}", percent(10_000)),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    table = [
        "  ".join([f"{row[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in cells
    ]
    memory = layered_costs(model)
    width = max(len(cost.name) for cost in memory)
    return "\n".join(
        [
            model.title,
            f"{model.origin}.",
            *(f"Note: {remark}." for remark in model.remarks),
            f"Layers: {model.order}. {NOT_BUILT}",
            "",
            *table,
            f"Embedding ratio {model.account.embedding_ratio:.4f}: {EMBEDDING_RATIO_DEFINITION}",
            "",
            *(f"{cost.name:<{width}}  {cost.text:>10}  {cost.assumption}" for cost in memory),
        ]
    )
