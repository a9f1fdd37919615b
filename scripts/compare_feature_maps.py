"""How near a transformer's sentence embeddings come with the circuits of saved or random maps.

    python scripts/compare_feature_maps.py --checkpoint DIR --maps FILE --random 128 2048

DIR holds a BERT encoder's config.json, model.safetensors and tokenizer.json; FILE is what
train_feature_maps.py wrote. Random features are orthogonal `PositiveRandom` maps, one for all.
"""

import argparse
import json
from pathlib import Path

import jax
import jax.numpy as jnp
from train_feature_maps import SENTENCES, results

from tripartite.attention import PositiveRandom, load_bert, load_feature_maps


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", required=True, help="folder of a BERT encoder")
    parser.add_argument("--maps", type=Path, nargs="*", default=[], help="saved maps")
    parser.add_argument("--random", type=int, nargs="*", default=[], help="numbers of features")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    options = parser.parse_args()
    encoder = load_bert(options.checkpoint, jnp.float32)
    compared = {str(path): load_feature_maps(path, jnp.float32) for path in options.maps}
    size = encoder.attentions[0].d_head
    for count in options.random:
        key = jax.random.key(options.seed)
        compared[f"random, {count}"] = PositiveRandom(count, size, key=key, orthogonal=True)
    for name, features in compared.items():
        found = results(encoder, features, options.checkpoint, options.sentences)
        print(json.dumps({name: found}), flush=True)


if __name__ == "__main__":
    main()
