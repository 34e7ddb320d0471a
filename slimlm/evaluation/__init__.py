"""Evaluation of models: held-out loss in bits per byte, minimal pairs, cloze tasks, lm_eval, text samples."""
