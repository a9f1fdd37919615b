"""Makes tests/data/transformers_models.npz: what transformers and torch make of random checkpoints.

    pip install torch transformers && python tests/peers/transformers_models.py [FILE]

The checkpoints are those of tests/bert_checkpoints.py and tests/vit_checkpoints.py, written to a
folder and read by `BertModel` and `ViTForImageClassification`, in float64 and in float32. Kept are
BERT's last hidden state for two texts, one of them padded, and the ViT's last hidden state and
logits for two pictures. ViT's attention is torch's own (sdpa): the eager one takes its softmax in
float32 whatever the precision.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

import bert_checkpoints  # noqa: E402
import vit_checkpoints  # noqa: E402

IDS = np.array([[2, 10, 14, 17, 11, 4, 3], [2, 25, 39, 7, 3, 0, 0]])
MASK = np.array([[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0]])


def bert(folder, dtype):
    model = transformers.BertModel.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", add_pooling_layer=False
    )
    model.eval()
    with torch.no_grad():
        out = model(input_ids=torch.as_tensor(IDS), attention_mask=torch.as_tensor(MASK))
    return out.last_hidden_state.numpy()


def vit(folder, dtype):
    model, report = transformers.ViTForImageClassification.from_pretrained(
        folder, dtype=dtype, attn_implementation="sdpa", output_loading_info=True
    )
    if any(report.values()):
        raise SystemExit(f"the checkpoint was not read as it stands: {report}")
    model.eval()
    with torch.no_grad():
        pictures = torch.as_tensor(vit_checkpoints.random_images(), dtype=dtype)
        out = model(pixel_values=pictures)
        hidden = model.vit(pixel_values=pictures).last_hidden_state
    return hidden.numpy(), out.logits.numpy()


def main():
    out = Path(sys.argv[1]) if sys.argv[1:] else TESTS / "data" / "transformers_models.npz"
    found = {"ids": IDS, "mask": MASK}
    with tempfile.TemporaryDirectory() as name:
        text = bert_checkpoints.write_checkpoint(Path(name) / "bert")
        pictures = vit_checkpoints.write_checkpoint(Path(name) / "vit")
        for dtype in (torch.float64, torch.float32):
            bits = str(dtype).removeprefix("torch.")
            found[f"bert.{bits}"] = bert(text, dtype)
            found[f"vit.{bits}"], found[f"vit.logits.{bits}"] = vit(pictures, dtype)
    versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
    np.savez_compressed(out, version=versions, **found)
    print(versions, {name: x.shape for name, x in found.items()})


if __name__ == "__main__":
    main()
