"""Text and other sources of tokens: documents, tokenizers, tokenised corpora and generated sequences."""
