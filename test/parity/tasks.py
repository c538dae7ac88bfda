"""What a model of any task is given and gives: padded inputs, outputs without the padding, and the loss."""

import torch

from training import IGNORED, pad

IMAGE = (3, 12, 12)


def inputs_of(model, batch):
    """The keyword arguments of `model.forward`, labels left out; sequences are padded on the right."""
    if "pixel_values" in batch:
        return {"pixel_values": torch.tensor(batch["pixel_values"]).reshape(-1, *IMAGE)}
    inputs = {
        "input_ids": pad(batch["sequences"], model.config.pad_token_id or 0),
        "attention_mask": pad([[1] * len(ids) for ids in batch["sequences"]], 0),
    }
    if "token_type_ids" in batch:
        inputs["token_type_ids"] = pad(batch["token_type_ids"], 0)
    return inputs


def labels_of(task, batch):
    """The keyword arguments of `model.forward` that make it compute a loss."""
    if "labels" not in batch:
        return {}
    if task in ("CAUSAL_LM", "SEQ_2_SEQ_LM", "TOKEN_CLS"):
        return {"labels": pad(batch["labels"], IGNORED)}
    labels = torch.tensor(batch["labels"])
    if task == "QUESTION_ANS":
        return {"start_positions": labels[:, 0], "end_positions": labels[:, 1]}
    return {"labels": labels if labels.is_floating_point() else labels[:, 0]}


def rows_of(task, out, inputs, labels):
    """The tensors of an output, the rows of real tokens only, sequence after sequence."""
    real = inputs["attention_mask"].bool() if "attention_mask" in inputs else slice(None)
    if task == "FEATURE_EXTRACTION":
        rows = {"hidden": out.last_hidden_state[real].flatten(0, -2)}
        pooled = getattr(out, "pooler_output", None)
        return rows if pooled is None else {**rows, "pooled": pooled}
    if task == "QUESTION_ANS":
        return {"logits": torch.stack([out.start_logits, out.end_logits], -1)[real]}
    if task == "SEQ_2_SEQ_LM":
        return {"logits": out.logits[labels["labels"] != IGNORED]}
    return {"logits": out.logits[real] if task in ("CAUSAL_LM", "TOKEN_CLS") else out.logits}


def split(batch):
    """The examples of a batch as batches of one."""
    count = len(next(iter(batch.values())))
    return [{key: rows[i : i + 1] for key, rows in batch.items()} for i in range(count)]


@torch.no_grad()
def outputs_of(model, task, batch):
    """Outputs on the batch, checked to be those of its sequences alone: what padding there is has no effect."""
    inputs, labels = inputs_of(model, batch), labels_of(task, batch)
    rows = rows_of(task, model(**inputs, **labels), inputs, labels)
    alone = []
    for one in split(batch):
        inputs, labels = inputs_of(model, one), labels_of(task, one)
        alone.append(rows_of(task, model(**inputs, **labels), inputs, labels))
    for name, tensor in rows.items():
        torch.testing.assert_close(tensor, torch.cat([row[name] for row in alone]), atol=2e-5, rtol=2e-5)
    return rows


def task_loss(task):
    """The function (model, batch) -> loss of a task, as the reference computes it on a batch without padding.

    In a padded batch the softmax over the positions of QUESTION_ANS would run over the padding too, so there the loss is
    the mean of the losses of the sequences alone. Everywhere else padding has no effect on the loss.
    """

    def loss(model, batch):
        parts = split(batch) if task == "QUESTION_ANS" else [batch]
        losses = [model(**inputs_of(model, part), **labels_of(task, part)).loss for part in parts]
        return torch.stack(losses).mean()

    return loss
