"""What the model goldens cover: one table of models and tasks, and the batch that each task is given."""

import random
from dataclasses import dataclass
from typing import Callable

from tiny_models import CONFIGS, SMALL, SMALL_VOCAB
from training import IGNORED

CLASSES = 3
TAGS = 5
LENGTHS = (9, 4, 6)
END = 1  # T5's </s>


@dataclass(frozen=True)
class Case:
    """A model for a task. Of a full training vectors, embeddings and heads are kept; `matrices` adds the rest."""

    folder: str
    model: str
    task: str
    config: Callable
    problem: str = ""
    trained: bool = True
    matrices: tuple = ()  # of "grad" and "param"

    @property
    def lm(self):
        """Whether the head is as large as the vocabulary."""
        return self.task in ("CAUSAL_LM", "SEQ_2_SEQ_LM")


_WITH_MATRICES = {"llama": ("grad", "param"), "gpt2": ("grad", "param"), "qwen2": ("grad",), "qwen3": ("grad",)}


def _causal(name):
    trained = name in ("llama", "llama-tied", "qwen2", "qwen3", "gpt2")
    return Case(f"models/{name}", name, "CAUSAL_LM", CONFIGS[name], "", trained, _WITH_MATRICES.get(name, ()))


_HEADS = {
    "": {"num_labels": CLASSES, "problem_type": "single_label_classification"},
    "multi-label": {"num_labels": CLASSES, "problem_type": "multi_label_classification"},
    "regression": {"num_labels": 1, "problem_type": "regression"},
    "regression-2": {"num_labels": 2, "problem_type": "regression"},
}
_CHANGES = {"TOKEN_CLS": {"num_labels": TAGS}, "IMAGE_CLS": {"num_labels": CLASSES}}


_TASKS_WITH_MATRICES = {
    "t5-seq-2-seq-lm": ("grad", "param"),
    "mt5-seq-2-seq-lm": ("grad",),
    "bert-seq-cls": ("grad", "param"),
    "distilbert-seq-cls": ("grad",),
    "vit-image-cls": ("grad",),
}


def _task(model, task, problem=""):
    changes = _HEADS[problem] if task == "SEQ_CLS" else _CHANGES.get(task, {})
    if (model, task) == ("bert", "CAUSAL_LM"):
        changes = {"is_decoder": True}
    name = "-".join(filter(None, [model, task.lower().replace("_", "-"), problem]))
    trained, matrices = task != "FEATURE_EXTRACTION", _TASKS_WITH_MATRICES.get(name, ())
    return Case(f"tasks/{name}", model, task, lambda: SMALL[model](**changes), problem, trained, matrices)


_SEQ_2_SEQ = ("SEQ_2_SEQ_LM", "FEATURE_EXTRACTION", "SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS")
_ENCODER = ("FEATURE_EXTRACTION", "SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS")
_DECODER = ("SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS")
_TASKS = {
    "t5": _SEQ_2_SEQ,
    "mt5": _SEQ_2_SEQ,
    "bert": (*_ENCODER, "CAUSAL_LM"),
    "roberta": _ENCODER,
    "xlm-roberta": _ENCODER,
    "distilbert": _ENCODER,
    "vit": ("FEATURE_EXTRACTION", "IMAGE_CLS"),
    "gpt2": _DECODER,
    "llama": _DECODER,
    "mistral": ("SEQ_CLS",),
    "qwen3": ("SEQ_CLS",),
}
_PROBLEMS = ("multi-label", "regression", "regression-2")

CASES = [
    *map(_causal, CONFIGS),
    *(_task(model, task) for model, tasks in _TASKS.items() for task in tasks),
    *(_task(model, "SEQ_CLS", p) for model in ("bert", "roberta", "distilbert") for p in _PROBLEMS),
]


def _labels(rng, case, sequences):
    """One list for each sequence (or image): what the loss compares with."""
    rows = []
    for ids in sequences:
        if case.task == "SEQ_2_SEQ_LM":
            rows.append([rng.randrange(3, SMALL_VOCAB) for _ in range(rng.randrange(2, 8))] + [END])
        elif case.task == "QUESTION_ANS":
            start = rng.randrange(len(ids))
            rows.append([start, rng.randrange(start, len(ids))])
        elif case.task == "TOKEN_CLS":
            rows.append([rng.choice((IGNORED, *range(TAGS))) for _ in ids])
        elif case.task == "CAUSAL_LM":
            rows.append([IGNORED] + ids[1:])
        elif case.problem == "multi-label":
            rows.append([float(rng.random() < 0.5) for _ in range(CLASSES)])
        elif case.problem:
            rows.append([rng.randrange(-16, 17) / 8 for _ in range(case.config().num_labels)])
        else:
            rows.append([rng.randrange(CLASSES)])
    return rows


def make_task_batch(case, seed):
    """Three sequences (or images) without padding, and their labels. Pixels are eighths, to have short decimals."""
    rng = random.Random(f"{seed}/{case.folder}")
    if case.model == "vit":
        examples = [[rng.randrange(-8, 9) / 8 for _ in range(3 * 12 * 12)] for _ in range(3)]
        batch = {"pixel_values": examples}
    else:
        examples = [[rng.randrange(3, SMALL_VOCAB) for _ in range(length)] for length in LENGTHS]
        if case.model in ("t5", "mt5"):
            examples = [[*ids[:-1], END] for ids in examples]
        batch = {"sequences": examples}
    if case.model == "bert" and case.task != "CAUSAL_LM":
        firsts = [rng.randrange(1, len(ids)) for ids in examples]
        batch["token_type_ids"] = [[0] * n + [1] * (len(ids) - n) for n, ids in zip(firsts, examples, strict=True)]
    if case.task != "FEATURE_EXTRACTION":
        batch["labels"] = _labels(rng, case, examples)
    return batch
