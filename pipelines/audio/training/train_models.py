"""Trains the models of the audio pipeline and writes them with their stage's contract inside the file.

usage: train_models.py {voice-activity|keyword}-{nano|small|medium|large} OUT.onnx EPOCHS WINDOWS_FOLDER
needs torch (1.13 or 2.x), onnx and numpy; WINDOWS_FOLDER is written by write-windows.js. One thread; bfloat16 where the CPU has it.
"""
import inspect
import sys
import time

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

RATE, CLIP, STEPS = 8000, 24000, 150
WINDOW, CLASSES = 6400, 21
# Samples that a spectrum is taken over: 25 ms, bands of 40 Hz.
SPECTRUM = 200
# What is held out at the end of a folder, in clips and in windows.
HELD_CLIPS, HELD_WINDOWS = 300, 3000

# Samples between spectra, mel bands; channels and dilations of the layers over time, channels of the layers over both before them.
DETECTORS = {
    "nano": (160, 16, 16, (1,), ()),
    "small": (160, 24, 40, (1, 2, 4), ()),
    "medium": (80, 32, 96, (1, 2, 4, 8, 1, 2), (16, 24)),
}
# Samples between spectra, mel bands; layers as (channels, stride), residual ones with stride 0.
RECOGNISERS = {
    "nano": (160, 16, [(8, 2), (12, 2), (16, 2)]),
    "small": (80, 32, [(16, 2), (32, 2), (48, 2), (48, 0)]),
    "medium": (80, 32, [(24, 2), (24, 0), (48, 2), (48, 0), (64, 2), (64, 0)]),
    "large": (80, 32, [(48, 2), (48, 0), (48, 0), (80, 2), (80, 0), (80, 0), (112, 2), (112, 0)]),
}
# Stretches of a window that a recogniser tells apart at the end.
STRETCHES = 5


class LogMel(nn.Module):
    """[batch, 1, bands, frames] from samples: loudness is taken out, so that what counts are differences in decibels."""

    def __init__(self, hop, bands):
        super().__init__()
        at = np.arange(SPECTRUM)
        bins = np.arange(1, SPECTRUM // 2)[:, None]
        window = np.hanning(SPECTRUM)
        waves = np.concatenate([f(2 * np.pi * bins * at / SPECTRUM) * window for f in (np.cos, np.sin)])
        self.register_buffer("waves", torch.tensor(waves[:, None], dtype=torch.float32))
        mel = lambda hertz: 2595 * np.log10(1 + hertz / 700)
        edges = 700 * (10 ** (np.linspace(mel(80), mel(3900), bands + 2) / 2595) - 1)
        hertz = bins[:, 0] * RATE / SPECTRUM
        # No band is narrower than a bin.
        low = np.minimum(edges[:-2], edges[1:-1] - RATE / SPECTRUM)[:, None]
        high = np.maximum(edges[2:], edges[1:-1] + RATE / SPECTRUM)[:, None]
        middle = edges[1:-1, None]
        weights = np.maximum(0, np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)))
        self.register_buffer("weights", torch.tensor(weights / weights.sum(1, keepdims=True), dtype=torch.float32))
        self.hop = hop

    def forward(self, samples):
        loudness = (samples * samples).mean(1, keepdim=True).sqrt() + 1e-4
        x = F.pad((samples / loudness).unsqueeze(1), 2 * [(SPECTRUM - self.hop) // 2])
        waves = F.conv1d(x, self.waves, stride=self.hop) ** 2
        power = waves[:, : len(self.waves) // 2] + waves[:, len(self.waves) // 2 :]
        return (torch.log(torch.matmul(self.weights, power) + 0.1).unsqueeze(1) - 2) / 3


def conv(inputs, outputs, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = conv(channels, channels)

    def forward(self, x):
        return x + self.body(x)


class Dilated(nn.Module):
    """A residual layer over time."""

    def __init__(self, channels, dilation):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
        )

    def forward(self, x):
        return x + self.body(x)


class Detector(nn.Module):
    """Logits of voice, [batch, 150], from a log-mel spectrum."""

    def __init__(self, hop, bands, channels, dilations, planes):
        super().__init__()
        over_both, inputs, rows = [], 1, bands
        frames = CLIP // hop
        for outputs in planes:
            # The first of them brings finer spectra to one a step.
            stride = (2, 2) if frames > STEPS else (2, 1)
            frames = min(frames, STEPS)
            over_both.append(conv(inputs, outputs, stride))
            inputs, rows = outputs, rows // 2
        self.over_both = nn.Sequential(*over_both)
        self.inwards = nn.Sequential(
            nn.Conv1d(inputs * rows, channels, 5, padding=2, bias=False), nn.BatchNorm1d(channels), nn.ReLU()
        )
        self.over_time = nn.Sequential(*[Dilated(channels, dilation) for dilation in dilations])
        self.head = nn.Conv1d(channels, 1, 1)

    def forward(self, x):
        x = self.over_both(x).flatten(1, 2)
        return self.head(self.over_time(self.inwards(x))).squeeze(1)


class DetectionModel(nn.Module):
    """The contract: FP32 samples [batch, 24000] in; FP32 voice [batch, 150] out."""

    def __init__(self, front, body):
        super().__init__()
        self.front, self.body = front, body

    def forward(self, samples):
        return torch.sigmoid(self.body(self.front(samples)))


def recogniser(hop, bands, layers):
    parts, inputs, rows, columns = [], 1, bands, WINDOW // hop
    for channels, stride in layers:
        parts.append(Residual(inputs) if stride == 0 else conv(inputs, channels, stride))
        inputs, rows, columns = channels, rows // max(1, stride), columns // max(1, stride)
    pool = nn.AvgPool2d((rows, columns // STRETCHES))
    return nn.Sequential(*parts, pool, nn.Flatten(), nn.Dropout(0.2), nn.Linear(STRETCHES * inputs, CLASSES))


class RecognitionModel(nn.Module):
    """The contract: FP32 window [batch, 6400] in; FP32 probabilities [batch, 21] out."""

    def __init__(self, front, body):
        super().__init__()
        self.front, self.body = front, body

    def forward(self, window):
        return torch.softmax(self.body(self.front(window)), 1)


def spectra(front, path, length):
    """Of all that is in a file; networks are trained on spectra, which do not change while they are."""
    samples = np.memmap(path, np.int16, "r").reshape(-1, length)
    parts = []
    with torch.no_grad():
        for at in range(0, len(samples), 256):
            parts.append(front(torch.from_numpy(samples[at : at + 256].astype(np.float32) / 32768)).half())
    return torch.cat(parts)


class VoiceActivity:
    batch, peak = 16, 4e-3
    inputs, outputs, shapes = ["samples"], ["voice"], {"voice": [STEPS]}
    example = torch.zeros(2, CLIP)

    def __init__(self, size, folder):
        hop, bands, channels, dilations, planes = DETECTORS[size]
        front = LogMel(hop, bands)
        self.x = spectra(front, f"{folder}/clips.i16", CLIP)
        self.y = torch.from_numpy(np.fromfile(f"{folder}/voice.u8", np.uint8).reshape(-1, STEPS)).float()
        self.body = Detector(hop, bands, channels, dilations, planes)
        self.count = len(self.x) - HELD_CLIPS
        self.model = DetectionModel(front, self.body)

    def loss(self, picked):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.body(self.x[picked].float())
        return F.binary_cross_entropy_with_logits(y.float(), self.y[picked])

    def held_out(self):
        """Share of the steps of what is held out that are right."""
        with torch.no_grad():
            y = torch.cat([self.body(x.float()) for x in self.x[self.count :].split(100)])
        return ((y > 0).float() == self.y[self.count :]).float().mean().item()


class Keyword:
    batch, peak = 64, 4e-3
    inputs, outputs, shapes = ["window"], ["probabilities"], {"probabilities": [CLASSES]}
    example = torch.zeros(2, WINDOW)

    def __init__(self, size, folder):
        hop, bands, layers = RECOGNISERS[size]
        front = LogMel(hop, bands)
        self.x = spectra(front, f"{folder}/windows.i16", WINDOW)
        self.y = torch.from_numpy(np.fromfile(f"{folder}/classes.u8", np.uint8)).long()
        self.body = recogniser(hop, bands, layers)
        self.count = len(self.x) - HELD_WINDOWS
        self.model = RecognitionModel(front, self.body)

    def loss(self, picked):
        x = self.x[picked].float()
        # Some bands are missing, as behind a filter.
        first = int(torch.randint(0, x.shape[2] - 3, (1,)))
        x[torch.rand(len(x)) < 0.3, :, first : first + 3] = 0
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.body(x.to(memory_format=torch.channels_last))
        return F.cross_entropy(y.float(), self.y[picked], label_smoothing=0.02)

    def held_out(self):
        """Share of what is held out that is right."""
        with torch.no_grad():
            y = torch.cat([self.body(x.float()) for x in self.x[self.count :].split(500)])
        return (y.argmax(1) == self.y[self.count :]).float().mean().item()


def train(task, epochs):
    body = task.body.to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in body.parameters())} parameters, {task.count} examples", flush=True)
    optimiser = torch.optim.AdamW(body.parameters(), task.peak, weight_decay=0.01)
    started, step, last = time.process_time(), 0, epochs * (task.count // task.batch)
    for epoch in range(epochs):
        order = torch.randperm(task.count)
        for at in range(0, task.count - task.batch + 1, task.batch):
            rate = task.peak * min(1, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * step / last)) + 1e-6
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss = task.loss(order[at : at + task.batch])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(body.parameters(), 5.0)
            optimiser.step()
            step += 1
        print(f"epoch {epoch + 1} loss {loss.item():.3f}, {(time.process_time() - started) / 60:.1f} minutes", flush=True)
    body.eval()
    print(f"after {step} steps, held out: {task.held_out():.4f}", flush=True)


def finish(path, shapes):
    """Declares the shapes that the exporter does not know, and keeps weights in half precision: they are widened when it is loaded."""
    model = onnx.load(path)
    for output in model.graph.output:
        for dimension, size in zip(output.type.tensor_type.shape.dim[1:], shapes[output.name]):
            dimension.dim_value = size
    for weights in list(model.graph.initializer):
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < 256:
            continue
        half = onnx.numpy_helper.from_array(values.astype(np.float16), f"{weights.name}.half")
        model.graph.initializer.remove(weights)
        model.graph.initializer.append(half)
        model.graph.node.insert(0, onnx.helper.make_node("Cast", [half.name], [weights.name], to=onnx.TensorProto.FLOAT))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    name, out, epochs, folder = sys.argv[1:]
    torch.manual_seed(7)
    np.random.seed(7)
    torch.set_num_threads(1)
    stage, size = name.rsplit("-", 1)
    task = {"voice-activity": VoiceActivity, "keyword": Keyword}[stage](size, folder)
    train(task, int(epochs))
    torch.onnx.export(
        task.model.eval(), (task.example,), out, opset_version=17, input_names=task.inputs, output_names=task.outputs,
        dynamic_axes={tensor: {0: "batch"} for tensor in task.inputs + task.outputs},
        **({"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}),
    )  # fmt: skip
    finish(out, task.shapes)


if __name__ == "__main__":
    main()
