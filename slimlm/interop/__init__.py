"""Configs of other tools: Hugging Face in and out, Megatron-LM and litgpt out."""
