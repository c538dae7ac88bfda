"""Batches, forward passes and optimiser steps, computed by transformers and torch in float32."""

import random

import torch

IGNORED = -100
LONG = (11, 4, 7)
SHORT = (8, 3, 5)


def make_batch(rng: random.Random, vocab, lengths=LONG):
    """Three sequences without padding tokens; the first has its prefix unlabelled, the third has holes."""
    sequences = [[rng.randrange(3, vocab) for _ in range(length)] for length in lengths]
    labels = [list(ids) for ids in sequences]
    labels[0][:4] = [IGNORED] * 4
    labels[2][1] = labels[2][3] = IGNORED
    return {"sequences": sequences, "labels": labels}


def pad(rows, value):
    """[rows, longest]: lists as a tensor, padded on the right."""
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def padded(batch):
    """input_ids, attention_mask and labels, padded on the right."""
    return {
        "input_ids": pad(batch["sequences"], 0),
        "attention_mask": pad([[1] * len(ids) for ids in batch["sequences"]], 0),
        "labels": pad(batch["labels"], IGNORED),
    }


@torch.no_grad()
def logits_of(model, batch):
    """[sum of lengths, vocabulary]: the rows of real tokens, sequence after sequence."""
    inputs = padded(batch)
    del inputs["labels"]
    return model(**inputs).logits[inputs["attention_mask"].bool()].contiguous()


def loss_of(model, batch):
    """Causal cross-entropy: labels shifted by one, mean over every label token of the batch."""
    return model(**padded(batch)).loss


def gradients_of(model, batch, named, loss_of=loss_of):
    """Gradients of the loss, under the names given to the parameters."""
    loss = loss_of(model, batch)
    gradients = torch.autograd.grad(loss, list(named.values()))
    return loss.detach(), {name: g.clone() for name, g in zip(named, gradients, strict=True)}


def adamw_steps(model, batches, named, options, loss_of=loss_of):
    """One AdamW step on each batch; returns the losses before each step and the parameters after the last."""
    parameters = list(named.values())
    optimizer = torch.optim.AdamW(
        parameters, lr=options["lr"], weight_decay=options["weight_decay"],
        betas=tuple(options["betas"]), eps=options["eps"],
    )  # fmt: skip
    losses = []
    for batch in batches:
        loss = loss_of(model, batch)
        losses.append(loss.detach())
        optimizer.zero_grad()
        loss.backward()
        if options["max_grad_norm"] > 0:
            norm = torch.nn.utils.clip_grad_norm_(parameters, options["max_grad_norm"])
            assert norm > options["max_grad_norm"], "clipping has no effect in this case"
        optimizer.step()
    return torch.stack(losses), {name: p.detach().clone() for name, p in named.items()}


def reversed_batch(batch):
    """The same loss with sums in another order: what differs is rounding."""
    return {key: rows[::-1] for key, rows in batch.items()}


@torch.no_grad()
def shake(named):
    """Changes parameters by as much as float32 rounds them: one order of sums alone does not show all that rounding decides."""
    generator = torch.Generator().manual_seed(1)
    for parameter in named.values():
        parameter.mul_(1 + 6e-8 * torch.randn(parameter.shape, generator=generator))


def unsettled(start, end, other_end, limit=2e-3):
    """Names of tensors whose travel depends on rounding: where it differs between two equal runs by more than `limit`.

    A gradient that is zero on paper is rounding noise in float32, and AdamW's first step makes it as long as any other.
    """
    names = []
    for name in start:
        travelled = (end[name] - start[name]).norm()
        if (other_end[name] - end[name]).norm() > limit * travelled:
            names.append(name)
    return names
