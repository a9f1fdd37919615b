"""Random BERT checkpoints in the layout of real ones, and BERT's forward pass in plain NumPy."""

import json
import math

import numpy as np
import safetensors.numpy

CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "vocab_size": 40,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 36,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "position_embedding_type": "absolute",
}
WORDS = [
    *["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", ",", "the", "a", "an", "and"],
    *["astrocyte", "neuron", "synapse", "calcium", "spreads", "waits", "listens", "to", "of", "in"],
    *["token", "query", "key", "value", "reads", "writes", "every", "one", "quick", "slow"],
    *["network", "cell", "signal", "answers", "before", "after", "it", "is", "not", "many"],
]


def shapes():
    """Each tensor's name and shape, written down from BERT's architecture."""
    width, hidden = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    found = {
        "embeddings.word_embeddings.weight": (CONFIG["vocab_size"], width),
        "embeddings.position_embeddings.weight": (CONFIG["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (CONFIG["type_vocab_size"], width),
    }

    def affine(name, out, size):
        found[f"{name}.weight"], found[f"{name}.bias"] = (out, size), (out,)

    def norm(name):
        found[f"{name}.weight"] = found[f"{name}.bias"] = (width,)

    norm("embeddings.LayerNorm")
    for layer in range(CONFIG["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            affine(f"{at}.attention.self.{part}", width, width)
        affine(f"{at}.attention.output.dense", width, width)
        norm(f"{at}.attention.output.LayerNorm")
        affine(f"{at}.intermediate.dense", hidden, width)
        affine(f"{at}.output.dense", width, hidden)
        norm(f"{at}.output.LayerNorm")
    return found


def random_tensors(seed=0):
    """Weights of the size at which attention is neither uniform nor saturated."""
    random = np.random.default_rng(seed)
    return {
        name: random.normal(0.0, 0.3, shape) + ("LayerNorm.weight" in name)
        for name, shape in shapes().items()
    }


def write_checkpoint(folder, *, config=None, tensors=None, save=safetensors.numpy.save_file):
    """A checkpoint's folder: config.json, model.safetensors and a word-level tokenizer.json."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **(config or {})}))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_file()))
    save(random_tensors() if tensors is None else tensors, folder / "model.safetensors")
    return folder


def tokenizer_file():
    """As a real one, with padding and truncation switched on inside the file."""
    special = [
        {
            "id": number,
            "content": WORDS[number],
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number in range(4)
    ]
    frame = {
        "type": "BertProcessing",
        "sep": ["[SEP]", WORDS.index("[SEP]")],
        "cls": ["[CLS]", WORDS.index("[CLS]")],
    }
    return {
        "version": "1.0",
        "truncation": {
            "direction": "Right",
            "max_length": 6,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 20},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": special,
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": frame,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: number for number, word in enumerate(WORDS)},
            "unk_token": "[UNK]",
        },
    }


def erf_gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def tanh_gelu(x):
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def softmax_weights(layer, head, q, k):
    return np.exp(q @ k.T)


def reference_hidden_state(
    tensors, token_ids, mask=None, activation=erf_gelu, weigh=softmax_weights
):
    """BERT's last hidden state (Devlin et al. 2019), head by head, in float64.

    `weigh(layer, head, q, k)` gives the weights before they are normalised, of shape
    (queries, tokens); q and k are each divided by d_head^(1/4).
    """

    def affine(name, x):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(name, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + CONFIG["layer_norm_eps"])
        return centred / spread * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def attention(layer, name, x):
        q, k, v = (affine(f"{name}.{part}", x) for part in ("query", "key", "value"))
        size = x.shape[1] // CONFIG["num_attention_heads"]
        heads = []
        for head, start in enumerate(range(0, x.shape[1], size)):
            part = slice(start, start + size)
            weights = weigh(layer, head, q[:, part] / size**0.25, k[:, part] / size**0.25)
            weights = weights * (np.ones(len(x)) if mask is None else mask)
            heads.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, part])
        return np.concatenate(heads, axis=1)

    x = tensors["embeddings.word_embeddings.weight"][token_ids]
    x = x + tensors["embeddings.position_embeddings.weight"][: len(token_ids)]
    x = norm("embeddings.LayerNorm", x + tensors["embeddings.token_type_embeddings.weight"][0])
    for layer in range(CONFIG["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        attended = attention(layer, f"{at}.attention.self", x)
        gathered = affine(f"{at}.attention.output.dense", attended)
        x = norm(f"{at}.attention.output.LayerNorm", x + gathered)
        hidden = activation(affine(f"{at}.intermediate.dense", x))
        x = norm(f"{at}.output.LayerNorm", x + affine(f"{at}.output.dense", hidden))
    return x
