"""The costs of a model: all of its cost quantities, evaluated."""

from slimlm.core.accounting import Account, account
from slimlm.core.architecture import Architecture
from slimlm.costs.quantities import COST_QUANTITIES
from slimlm.costs.quantity import Cost, Workload
from slimlm.costs.settings import CostSettings


def costs(model: Architecture | Account, settings: CostSettings | None = None) -> tuple[Cost, ...]:
    """Evaluate every cost quantity; the rows and their order are the same for every model and all settings.

    >>> rows = {row.key: row.text for row in costs(Architecture(d_model=216, d_ff=544, n_layers=12))}
    >>> rows["training_flops_per_token"], rows["kv_cache_bytes_per_token"], rows["chinchilla_tokens"]
    ('75.5 MFLOP', '10.4 kB', '200.9M')

    Raises ValueError for a context_length beyond the model's max_seq_length.
    """
    found = model if isinstance(model, Account) else account(model)
    workload = Workload(found, settings or CostSettings())
    return tuple(quantity.evaluate(workload) for quantity in COST_QUANTITIES.values())
