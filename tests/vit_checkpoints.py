"""Random checkpoints in the layout of google/vit-base-patch16-224: names and shapes as there."""

import json

import numpy as np
import safetensors.numpy

CLASSES = 5
CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "model_type": "vit",
    "image_size": 12,
    "patch_size": 4,
    "num_channels": 3,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 36,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "qkv_bias": True,
    "id2label": {str(number): f"class {number}" for number in range(CLASSES)},
}


def shapes():
    """Each tensor's name and shape, written down from the architecture."""
    width, hidden, side = CONFIG["hidden_size"], CONFIG["intermediate_size"], CONFIG["patch_size"]
    channels, patches = CONFIG["num_channels"], (CONFIG["image_size"] // side) ** 2
    found = {
        "vit.embeddings.cls_token": (1, 1, width),
        "vit.embeddings.position_embeddings": (1, 1 + patches, width),
        "vit.embeddings.patch_embeddings.projection.weight": (width, channels, side, side),
        "vit.embeddings.patch_embeddings.projection.bias": (width,),
    }

    def affine(name, out, size):
        found[f"{name}.weight"], found[f"{name}.bias"] = (out, size), (out,)

    def norm(name):
        found[f"{name}.weight"] = found[f"{name}.bias"] = (width,)

    for layer in range(CONFIG["num_hidden_layers"]):
        at = f"vit.encoder.layer.{layer}"
        norm(f"{at}.layernorm_before")
        for part in ("query", "key", "value"):
            affine(f"{at}.attention.attention.{part}", width, width)
        affine(f"{at}.attention.output.dense", width, width)
        norm(f"{at}.layernorm_after")
        affine(f"{at}.intermediate.dense", hidden, width)
        affine(f"{at}.output.dense", width, hidden)
    norm("vit.layernorm")
    affine("classifier", CLASSES, width)
    return found


def random_tensors(seed=0):
    """Weights of the size at which attention is neither uniform nor saturated."""
    random = np.random.default_rng(seed)
    return {
        name: random.normal(0.0, 0.3, shape) + (name.endswith("weight") and "layernorm" in name)
        for name, shape in shapes().items()
    }


def random_images(seed=1, count=2):
    size = CONFIG["image_size"]
    shape = (count, CONFIG["num_channels"], size, size)
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape)


def write_checkpoint(folder, *, config=None, tensors=None):
    """A checkpoint's folder: config.json and model.safetensors."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **(config or {})}))
    safetensors.numpy.save_file(
        random_tensors() if tensors is None else tensors,
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    return folder
