"""Trains the models of the question-answering pipeline and writes them with their stage's contract inside the file.

usage: train_models.py {retrieval|reading}-{nano|small|medium|large} OUT.onnx MINUTES QUESTIONS_FOLDER
MINUTES are of one core. Needs torch (1.13 or 2.x), onnx and numpy; QUESTIONS_FOLDER is written by write-questions.js.
"""
import inspect
import math
import sys
import time

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

# stages/word-features.ts and stages/token-rows.ts.
WORD_HASHES, AFFIX_HASHES, FORMS, FEATURES = 2048, 512, 26, 4
QUESTION_WORDS, PASSAGE_WORDS = 24, 63
READING_SLOTS = 1 + QUESTION_WORDS + PASSAGE_WORDS
PASSAGE_SLOT = 1 + QUESTION_WORDS
# Passages that retrieval names (stages/retrieval.ts).
NAMED = 3
# Questions of training worlds that are held out: those of the last world.
HELD_READINGS = 2000

# Width, whether beginnings and ends of words are looked at, kind and number of layers; the embeddings of "deep" are narrower.
RETRIEVERS = {
    "nano": (24, False, "bag", 0),
    "small": (48, True, "conv", 1),
    "medium": (96, True, "deep", 8),
}
READERS = {
    "nano": (32, False, "conv", 2),
    "small": (48, True, "conv", 4),
    "medium": (64, True, "conv", 6),
    "large": (160, True, "deep", 12),
}
DEEP_EMBEDDING = 48


class Words(nn.Module):
    """Sum of the embeddings of a word's features: [batch, slots, width] from [batch, slots, 4]."""

    def __init__(self, width, affixes, embedding=None):
        super().__init__()
        size = embedding or width
        self.word = nn.Embedding(WORD_HASHES, size)
        self.form = nn.Embedding(FORMS, size)
        self.affixes = nn.ModuleList([nn.Embedding(AFFIX_HASHES, size) for _ in range(2)] if affixes else [])
        for table in [self.word, self.form, *self.affixes]:
            nn.init.normal_(table.weight, std=0.5)
        self.widen = nn.Linear(size, width) if embedding else None

    def forward(self, tokens):
        x = self.word(tokens[:, :, 0]) + self.form(tokens[:, :, 3])
        for index, table in enumerate(self.affixes):
            x = x + table(tokens[:, :, 1 + index])
        return x if self.widen is None else self.widen(x)


def words_of(width, affixes, kind):
    return Words(width, affixes, DEEP_EMBEDDING if kind == "deep" else None)


class Repeated(nn.Module):
    """A residual convolution that rows pass through several times: its weights are there once, and only its norms are each pass's own."""

    def __init__(self, width, passes, reach=5):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(passes)])
        self.body = nn.Conv1d(width, width, reach, padding=reach // 2)

    def forward(self, x, mask):
        for norm in self.norms:
            x = x + self.body(torch.relu(norm(x)).transpose(1, 2)).transpose(1, 2)
        return x


class Convolution(nn.Module):
    """A residual convolution over neighbouring slots; [batch, slots, width] in and out."""

    def __init__(self, width, reach=5):
        super().__init__()
        self.body = nn.Conv1d(width, width, reach, padding=reach // 2)

    def forward(self, x, mask):
        return x + torch.relu(self.body(x.transpose(1, 2))).transpose(1, 2)


def layers_of(kind, width, count):
    if kind == "deep":
        return nn.ModuleList([Repeated(width, count // 2) for _ in range(2)])
    return nn.ModuleList([Convolution(width) for _ in range(count)])


class Pool(nn.Module):
    """Weighted mean of the slots that hold a word."""

    def __init__(self, width):
        super().__init__()
        self.weigh = nn.Linear(width, 1)

    def forward(self, x, mask):
        weights = torch.softmax(self.weigh(x).squeeze(2) + mask, 1)
        return torch.matmul(weights.unsqueeze(1), x).squeeze(1)


def masked(tokens):
    """0 for slots with something in them, far below it for the others."""
    return (tokens[:, :, 3] == 0).float() * -1e4


class Tower(nn.Module):
    """A vector of length 1 for a text."""

    def __init__(self, words, width, kind, layers, slots, out=None):
        super().__init__()
        self.words = words
        self.places = nn.Parameter(torch.zeros(1, slots, width)) if kind != "bag" else None
        self.layers = layers_of(kind, width, layers)
        self.pool = Pool(width)
        self.out = nn.Linear(width, out or width)

    def forward(self, tokens):
        mask = masked(tokens)
        x = self.words(tokens)
        if self.places is not None:
            x = x + self.places
        for layer in self.layers:
            x = layer(x, mask[:, None, None, :])
        y = self.out(self.pool(x, mask))
        return y / (y * y).sum(1, keepdim=True).sqrt().clamp(min=1e-6)


class RetrievalModel(nn.Module):
    """The contract: INT32 question [batch, 24, 4] in; INT32 passages and FP32 probabilities [batch, 3] out."""

    def __init__(self, tower, index):
        super().__init__()
        self.tower = tower
        self.register_buffer("index", index)

    def forward(self, question):
        probabilities = torch.softmax(torch.matmul(self.tower(question), self.index), 1)
        best, passages = torch.topk(probabilities, NAMED, 1)
        return passages.int(), best


class Reader(nn.Module):
    """Logits of first and last slot: two of [batch, 88] from [batch, 88, 4]."""

    def __init__(self, width, affixes, kind, layers):
        super().__init__()
        self.words = words_of(width, affixes, kind)
        self.places = nn.Parameter(torch.zeros(1, READING_SLOTS, width))
        self.layers = layers_of(kind, width, layers)
        self.asked = Pool(width)
        self.tell = nn.Linear(width, width)
        self.mix = Convolution(width, 3)
        self.heads = nn.Linear(width, 2)
        self.none = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, tokens):
        mask = masked(tokens)
        x = self.words(tokens) + self.places
        half = len(self.layers) // 2
        for layer in self.layers[:half]:
            x = layer(x, mask[:, None, None, :])
        # What is asked, told to every slot: convolutions see their neighbours alone.
        asked = self.asked(x[:, 1:PASSAGE_SLOT], mask[:, 1:PASSAGE_SLOT])
        x = torch.relu(x + self.tell(asked).unsqueeze(1))
        for layer in self.layers[half:]:
            x = layer(x, mask[:, None, None, :])
        x = self.mix(x, None)
        passage = x[:, PASSAGE_SLOT:]
        seen = (passage + mask[:, PASSAGE_SLOT:].unsqueeze(2)).amax(1)
        none = self.none(torch.cat([seen, asked], 1))
        words = self.heads(passage) + mask[:, PASSAGE_SLOT:].unsqueeze(2)
        nothing = torch.zeros_like(mask[:, 1:PASSAGE_SLOT]) - 1e4
        return tuple(torch.cat([none[:, i : i + 1], nothing, words[:, :, i]], 1) for i in range(2))


class ReadingModel(nn.Module):
    """The contract: INT32 text [batch, 88, 4] in; FP32 starts and ends [batch, 88] out, probabilities of each slot."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, text):
        starts, ends = self.body(text)
        return torch.softmax(starts, 1), torch.softmax(ends, 1)


def tokens_of(rows):
    return torch.from_numpy(rows.astype(np.int32))


class Retrieval:
    batch, peak = 64, 3e-3
    inputs, outputs = ["question"], ["passages", "probabilities"]
    shapes = {"passages": [NAMED], "probabilities": [NAMED]}
    example = torch.zeros(2, QUESTION_WORDS, FEATURES, dtype=torch.int32)

    def __init__(self, size, folder):
        width, affixes, kind, layers = RETRIEVERS[size]
        passages = lambda name: np.fromfile(f"{folder}/{name}.u16", np.uint16).reshape(-1, PASSAGE_WORDS, FEATURES)
        self.passages, self.index = passages("passages"), passages("index")
        self.questions = np.fromfile(f"{folder}/questions.u16", np.uint16).reshape(-1, QUESTION_WORDS, FEATURES)
        self.labels = np.fromfile(f"{folder}/labels.i32", np.int32).reshape(-1, 3)
        held = self.labels[:, 2].max()
        self.worlds = [np.flatnonzero(self.labels[:, 2] == world) for world in range(held)]
        self.held = np.flatnonzero(self.labels[:, 2] == held)
        words = words_of(width, affixes, kind)
        out = DEEP_EMBEDDING if kind == "deep" else width
        self.question = Tower(words, width, kind, layers, QUESTION_WORDS, out)
        # Passages are encoded once: what it takes is not paid at serving.
        self.passage = Tower(words, width, "bag" if kind == "bag" else "conv", 1, PASSAGE_WORDS, out)
        self.scale = nn.Parameter(torch.tensor(math.log(12.0)))
        self.body = nn.ModuleList([self.question, self.passage, nn.ParameterList([self.scale])])
        self.count = len(self.questions) - len(self.held)

    def loss(self):
        """A question against the passages and rivals of the others of its batch, all of one world."""
        picked = np.random.choice(self.worlds[np.random.randint(len(self.worlds))], self.batch, replace=False)
        wanted = self.labels[picked, 0]
        offered = np.unique(self.labels[picked, :2])
        questions = self.question(tokens_of(self.questions[picked]))
        passages = self.passage(tokens_of(self.passages[offered]))
        scores = torch.matmul(questions, passages.T) * self.scale.exp().clamp(max=40.0)
        return F.cross_entropy(scores, torch.from_numpy(np.searchsorted(offered, wanted)))

    def vectors(self, rows):
        return torch.cat([self.passage(tokens_of(rows[at : at + 200])) for at in range(0, len(rows), 200)])

    def finish(self):
        """Fits the scale of the scores to the held-out world, whose passages are as many as are served; encodes what is served."""
        with torch.no_grad():
            first = self.labels[self.held, 0].min()
            scores = torch.matmul(self.question(tokens_of(self.questions[self.held])), self.vectors(self.passages[first:]).T)
            wanted = torch.from_numpy((self.labels[self.held, 0] - first).astype(np.int64))
            scales = np.geomspace(5, 80, 60)
            scale = scales[int(np.argmin([F.cross_entropy(scores * float(s), wanted).item() for s in scales]))]
            best = scores.topk(NAMED, 1).indices
            right = [(best[:, :n] == wanted[:, None]).any(1).float().mean().item() for n in (1, NAMED)]
            print(f"held-out world: right passage first {right[0]:.4f}, among {NAMED} {right[1]:.4f}; scale {scale:.1f}", flush=True)
            return RetrievalModel(self.question, self.vectors(self.index).T.contiguous() * float(scale))


class Reading:
    batch, peak = 32, 2e-3
    inputs, outputs = ["text"], ["starts", "ends"]
    shapes = {"starts": [READING_SLOTS], "ends": [READING_SLOTS]}
    example = torch.zeros(2, READING_SLOTS, FEATURES, dtype=torch.int32)
    # Of the rows, with a passage that holds the answer.
    answered = 0.7

    def __init__(self, size, folder):
        self.rows = np.memmap(f"{folder}/readings.u16", np.uint16, "r").reshape(-1, READING_SLOTS, FEATURES)
        self.spans = np.fromfile(f"{folder}/spans.i32", np.int32).reshape(-1, 2).astype(np.int64)
        self.count = len(self.rows) // 2 - HELD_READINGS
        self.body = Reader(*READERS[size])

    def loss(self):
        picked = 2 * np.random.randint(self.count, size=self.batch) + (np.random.rand(self.batch) >= self.answered)
        starts, ends = self.body(tokens_of(self.rows[picked]))
        wanted = torch.from_numpy(self.spans[picked])
        return F.cross_entropy(starts, wanted[:, 0]) + F.cross_entropy(ends, wanted[:, 1])

    def finish(self):
        with torch.no_grad():
            right = np.zeros((2,))
            for at in range(2 * self.count, len(self.rows), 200):
                starts, ends = self.body(tokens_of(self.rows[at : at + 200]))
                found = torch.stack([starts.argmax(1), ends.argmax(1)], 1).numpy()
                same = (found == self.spans[at : at + 200]).all(1)
                right += [same[0::2].sum(), same[1::2].sum()]
        right /= HELD_READINGS
        print(f"held out: right where there is an answer {right[0]:.4f}, where there is none {right[1]:.4f}", flush=True)
        return ReadingModel(self.body)


def train(task, minutes):
    print(f"{sum(p.numel() for p in task.body.parameters())} parameters, {task.count} questions", flush=True)
    # Deep networks learn best in smaller steps.
    peak = task.peak / 2 if any(isinstance(module, Repeated) for module in task.body.modules()) else task.peak
    optimiser = torch.optim.AdamW(task.body.parameters(), peak, weight_decay=0.01)
    started, step, done = time.process_time(), 0, 0.0
    while done < 1:
        done = min(1.0, (time.process_time() - started) / (60 * minutes))
        rate = peak * min(1, (step + 1) / 200) * 0.5 * (1 + np.cos(np.pi * done)) + 1e-6
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = task.loss()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(task.body.parameters(), 1.0)
        optimiser.step()
        step += 1
        if step % 200 == 0:
            print(f"step {step} done {done:.2f} loss {loss.item():.3f}", flush=True)
    task.body.eval()
    print(f"after {step} steps, {step * task.batch / task.count:.1f} times through the questions", flush=True)


def write_small(path, shapes):
    """Large weights are kept in eight bits, a scale for each row; the runtime makes numbers of them when it loads the file."""
    model = onnx.load(path)
    graph = model.graph
    nodes, scales = [], []
    for weights in graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < 1000:
            continue
        name = weights.name
        scale = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) / 127 + 1e-12
        weights.CopyFrom(numpy_helper.from_array(np.round(values / scale).astype(np.int8), f"{name}.bits"))
        scales.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}.scale"))
        nodes.append(onnx.helper.make_node("Cast", [f"{name}.bits"], [f"{name}.whole"], to=onnx.TensorProto.FLOAT))
        nodes.append(onnx.helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name]))
    graph.initializer.extend(scales)
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    for output in graph.output:
        for dimension, size in zip(output.type.tensor_type.shape.dim[1:], shapes[output.name]):
            dimension.dim_value = size
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    name, out, minutes, folder = sys.argv[1:]
    torch.manual_seed(7)
    np.random.seed(7)
    torch.set_num_threads(1)
    stage, size = name.split("-")
    task = {"retrieval": Retrieval, "reading": Reading}[stage](size, folder)
    train(task, float(minutes))
    torch.onnx.export(
        task.finish().eval(), (task.example,), out, opset_version=17, input_names=task.inputs, output_names=task.outputs,
        dynamic_axes={tensor: {0: "batch"} for tensor in task.inputs + task.outputs},
        **({"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}),
    )  # fmt: skip
    write_small(out, task.shapes)


if __name__ == "__main__":
    main()
