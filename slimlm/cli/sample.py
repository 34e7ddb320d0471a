"""The command `slimlm sample`: text that a trained model writes after a prompt."""

import argparse

from slimlm.cli.run_folder import add_run, load_model, load_run_tokenizer
from slimlm.cli.training_data import TOKENIZER
from slimlm.utils.formatting import parse_number, parse_size


def add_sample(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_run(parser)
    parser.add_argument("prompt", metavar="PROMPT", nargs="?", default="", help="text to go on from (default: none)")
    parser.add_argument("--tokens", metavar="N", default="100", help="most tokens to write (default 100)")
    parser.add_argument("--temperature", metavar="N", default="0.8", help="0: the most probable token (default 0.8)")
    parser.add_argument("--top-k", metavar="N", help="choose among the N most probable tokens (default: all)")
    parser.add_argument("--seed", metavar="N", default="0", help="seed of the choices (default 0)")
    parser.set_defaults(run=run_sample)


def run_sample(options: argparse.Namespace) -> None:
    """Print the prompt and what the model writes after it.

    Raises ValueError, in one sentence, for a folder without a model or tokenizer, and for settings out of range.
    """
    model = load_model(options, "sample")
    if (tokenizer := load_run_tokenizer(options.folder)) is None:
        raise ValueError(f"{options.folder} holds no {TOKENIZER}, so its model reads no text: a run on text would work")
    from slimlm.evaluation.sample import sample

    print(
        sample(
            model,
            tokenizer,
            options.prompt,
            tokens=parse_size(options.tokens),
            temperature=parse_number(options.temperature),
            top_k=parse_size(options.top_k) if options.top_k else None,
            seed=parse_size(options.seed),
        )
    )
