"""Losses of one's own and their gradients as torch computes them. Writes test/golden/losses.json."""

import argparse
import json
import pathlib

import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parents[1] / "golden")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
torch.manual_seed(arguments.seed)


def numbers(tensor):
    return tensor.detach().flatten().tolist()


def weighted():
    logits = torch.randn(5, 4, requires_grad=True)
    labels, weights = torch.tensor([2, 0, -100, 3, 2]), torch.tensor([0.5, 1.0, 3.0, 0.25])
    slopes = torch.randn(5)
    cases = []
    for reduction in ("mean", "sum", "none"):
        logits.grad = None
        loss = F.cross_entropy(logits, labels, weights, reduction=reduction)
        loss.backward(slopes if reduction == "none" else None)
        cases.append({"reduction": reduction, "loss": numbers(loss), "gradient": numbers(logits.grad)})
    return {
        "logits": numbers(logits),
        "labels": labels.tolist(),
        "classWeights": weights.tolist(),
        "slopes": numbers(slopes),
        "cases": cases,
    }


def dpo():
    """Rafailov et al. 2023, equation 7: two pairs; sequence s is rows starts[s] to starts[s + 1], chosen ones first."""
    starts, beta = [0, 3, 5, 9, 11], 0.3
    logits = torch.randn(11, 6, requires_grad=True)
    labels = torch.randint(0, 6, (11,))
    reference = torch.randn(4) - 5
    logs = F.log_softmax(logits, -1).gather(1, labels[:, None])[:, 0]
    policy = torch.stack([logs[a:b].sum() for a, b in zip(starts, starts[1:])])
    gain = policy - reference
    loss = -F.logsigmoid(beta * (gain[:2] - gain[2:])).mean()
    loss.backward()
    return {
        **{"logits": numbers(logits), "labels": labels.tolist(), "starts": starts, "beta": beta},
        **{"reference": numbers(reference), "loss": numbers(loss), "gradient": numbers(logits.grad)},
    }


def contrastive():
    """Cosine similarities of four pairs over a temperature; each must find its own."""
    left, right = torch.randn(4, 6, requires_grad=True), torch.randn(4, 6, requires_grad=True)
    temperature = 0.2
    scores = F.normalize(left) @ F.normalize(right).T / temperature
    loss = F.cross_entropy(scores, torch.arange(4))
    loss.backward()
    return {
        **{"left": numbers(left), "right": numbers(right), "temperature": temperature, "loss": numbers(loss)},
        **{"leftGradient": numbers(left.grad), "rightGradient": numbers(right.grad)},
    }


golden = {"weighted": weighted(), "dpo": dpo(), "contrastive": contrastive()}
(arguments.output / "losses.json").write_text(json.dumps(golden) + "\n")
