"""On PYTHONPATH of an EverOS under test: counts a byte as a token, where the real table would be fetched from the network."""

import tiktoken
from tiktoken import Encoding

_bytes = Encoding(
    name="bytes",
    pat_str=r"[\s\S]",
    mergeable_ranks={bytes([value]): value for value in range(256)},
    special_tokens={},
)
tiktoken.get_encoding = lambda name: _bytes
