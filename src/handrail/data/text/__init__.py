"""Text as codes: tokenizers that are learned from training rows, and passages of long texts."""

from handrail.data.text.passages import from_table, read_passages, read_text_file, read_text_files
from handrail.data.text.tokenizer import Tokenizer

__all__ = ["Tokenizer", "from_table", "read_passages", "read_text_file", "read_text_files"]
