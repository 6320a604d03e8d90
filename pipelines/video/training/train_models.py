"""Trains the models of the video pipeline and writes them with their stage's contract inside the file.

usage: train_models.py {detection|classification}-{nano|small|medium|large} OUT.onnx MINUTES SCENES_FOLDER
needs torch (1.13 or 2.x), onnx and numpy; SCENES_FOLDER is written by write-scenes.js. One thread; bfloat16 where the CPU has it.
"""
import inspect
import json
import sys
import time

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

FRAME_HEIGHT, FRAME_WIDTH = 240, 320
# The detectors' maps (stages/object-map.ts): a quarter of the frame each way.
MAP_HEIGHT, MAP_WIDTH, SCALE = 60, 80, 4
CROP_SIDE, CLASSES = 64, 9
# The networks give edges in this many pixels, which keeps their outputs near one.
EDGE_UNIT = 16.0
# What is held out at the end of a scenes folder, in frames and in crops.
HELD_FRAMES, HELD_CROPS = 300, 3000

# Pooling of the frame before the first layer; channels at strides 2, 4, 8 and 16 after it; residual layers at strides 4, 8 and 16.
DETECTORS = {
    "nano": (2, (8, 16, 32, 32), (0, 1, 1)),
    "small": (2, (16, 32, 64, 48), (1, 2, 1)),
    "medium": (1, (12, 24, 48, 64), (1, 2, 2)),
    "large": (1, (24, 48, 80, 80), (2, 4, 2)),
}
# Pooling of the crop; there is no large one. Layers as (channels, stride), residual ones with stride 0.
CLASSIFIERS = {
    "nano": (2, [(12, 2), (24, 2), (32, 2)]),
    "small": (1, [(16, 2), (32, 2), (48, 2), (48, 0)]),
    "medium": (1, [(24, 2), (24, 0), (48, 2), (48, 0), (80, 2), (80, 0)]),
}


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


def residuals(channels, count):
    return nn.Sequential(*[Residual(channels) for _ in range(count)])


class Detector(nn.Module):
    """Logits of heat, and edges: [batch, 5, 60, 80] from [batch, 1, 240, 320] of 0 to 1."""

    def __init__(self, pool, channels, depths):
        super().__init__()
        self.pool = pool
        c2, c4, c8, c16 = channels
        self.stride4 = nn.Sequential(conv(1, c2, 2), conv(c2, c4, 2), residuals(c4, depths[0]))
        self.stride8 = nn.Sequential(conv(c4, c8, 2), residuals(c8, depths[1]))
        self.stride16 = nn.Sequential(conv(c8, c16, 2), residuals(c16, depths[2]))
        self.up8 = nn.Conv2d(c16, c8, 1)
        self.up4 = nn.Conv2d(c8, c4, 1)
        self.head = nn.Sequential(conv(c4, c4), nn.Conv2d(c4, 5, 1))
        with torch.no_grad():
            self.head[1].bias.copy_(torch.tensor([-3.0, 1.0, 1.0, 1.0, 1.0]))
        self.size4 = (MAP_HEIGHT // pool, MAP_WIDTH // pool)
        self.size8 = (self.size4[0] // 2, self.size4[1] // 2)

    def forward(self, x):
        if self.pool > 1:
            x = F.avg_pool2d(x, self.pool)
        a = self.stride4(x - 0.4)
        b = self.stride8(a)
        c = F.interpolate(self.up8(self.stride16(b)), size=self.size8, mode="nearest")
        d = F.interpolate(self.up4(F.relu(b + c)), size=self.size4, mode="nearest")
        y = self.head(F.relu(a + d))
        if self.pool > 1:
            y = F.interpolate(y, size=(MAP_HEIGHT, MAP_WIDTH), mode="bilinear", align_corners=False)
        return y


class DetectionModel(nn.Module):
    """The contract: UINT8 [batch, 240, 320] in; FP32 heat [batch, 60, 80] and edges [batch, 4, 60, 80] out."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, frame):
        y = self.body(frame.float().unsqueeze(1) / 255)
        return torch.sigmoid(y[:, 0]), F.relu(y[:, 1:]) * EDGE_UNIT


def classifier(size):
    pool, layers = CLASSIFIERS[size]
    parts, inputs, side = ([nn.AvgPool2d(pool)] if pool > 1 else []), 1, CROP_SIDE // pool
    for channels, stride in layers:
        parts.append(Residual(inputs) if stride == 0 else conv(inputs, channels, stride))
        inputs, side = channels, side // max(1, stride)
    return nn.Sequential(*parts, nn.AvgPool2d(side // 2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * inputs, CLASSES))


class ClassificationModel(nn.Module):
    """The contract: UINT8 [batch, 64, 64] in; FP32 probabilities [batch, 9] out."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, crop):
        return torch.softmax(self.body(centred(crop.float().unsqueeze(1) / 255)), 1)


def centred(x):
    """Crops are dark or bright; what counts is the difference from their mean."""
    return (x - x.mean((2, 3), keepdim=True)) * 3


def targets(boxes):
    """Heat, edges, and where the edges count: around the middle of each object."""
    ys, xs = np.mgrid[0:MAP_HEIGHT, 0:MAP_WIDTH].astype(np.float32)
    xs, ys = (xs + 0.5) * SCALE, (ys + 0.5) * SCALE
    heat = np.zeros((MAP_HEIGHT, MAP_WIDTH), np.float32)
    edges = np.zeros((4, MAP_HEIGHT, MAP_WIDTH), np.float32)
    weight = np.zeros((MAP_HEIGHT, MAP_WIDTH), np.float32)
    for left, top, right, bottom in boxes:
        x, y, width, height = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        sigma_x, sigma_y = max(2.6, width * 0.11), max(2.6, height * 0.11)
        blob = np.exp(-((xs - x) ** 2) / (2 * sigma_x**2) - ((ys - y) ** 2) / (2 * sigma_y**2))
        np.maximum(heat, blob, out=heat)
        row, column = min(MAP_HEIGHT - 1, int(y / SCALE)), min(MAP_WIDTH - 1, int(x / SCALE))
        heat[row, column] = 1
        middle = (np.abs(xs - x) < max(5, 0.25 * width)) & (np.abs(ys - y) < max(5, 0.25 * height))
        weight[middle] = 1 / np.sqrt(width * height)
        for edge, distance in enumerate((xs - left, ys - top, right - xs, bottom - ys)):
            edges[edge][middle] = distance[middle]
    return heat, edges, weight


def detection_loss(y, heat, edges, weight):
    """Focal loss around centres (CornerNet, Law and Deng 2018, equation 1), and the distance of edges in parts of the object."""
    q = torch.sigmoid(y[:, 0]).clamp(1e-4, 1 - 1e-4)
    centre = (heat == 1).float()
    objects = centre.sum().clamp(min=1)
    focal = centre * (1 - q) ** 2 * q.log() + (1 - centre) * (1 - heat) ** 4 * q**2 * (1 - q).log()
    distance = (y[:, 1:] * EDGE_UNIT - edges).abs().sum(1) * weight
    return -focal.sum() / objects + 2 * distance.sum() / (weight > 0).sum().clamp(min=1)


def augment(x):
    """Contrast and light; shifts are in the data."""
    n = len(x)
    return x * (0.75 + 0.5 * torch.rand(n, 1, 1, 1)) + 0.1 * torch.rand(n, 1, 1, 1) - 0.05


class Detection:
    batch, peak = 16, 4e-3
    inputs, outputs = ["frame"], ["heat", "edges"]
    shapes = {"heat": [MAP_HEIGHT, MAP_WIDTH], "edges": [4, MAP_HEIGHT, MAP_WIDTH]}
    example = torch.zeros(2, FRAME_HEIGHT, FRAME_WIDTH, dtype=torch.uint8)

    def __init__(self, size, folder):
        self.frames = torch.from_numpy(np.fromfile(f"{folder}/frames.u8", np.uint8).reshape(-1, 1, FRAME_HEIGHT, FRAME_WIDTH))
        self.boxes = json.load(open(f"{folder}/boxes.json"))
        made = [targets(boxes) for boxes in self.boxes]
        self.targets = [torch.from_numpy(np.stack(part)) for part in zip(*made)]
        self.body = Detector(*DETECTORS[size])
        self.count = len(self.frames) - HELD_FRAMES
        self.model = DetectionModel(self.body)

    def loss(self, picked):
        x = self.frames[picked].float() / 255
        parts = [part[picked] for part in self.targets]
        if torch.rand(1) < 0.5:
            x, parts = x.flip(3), [part.flip(-1) for part in parts]
            parts[1] = parts[1][:, [2, 1, 0, 3]]
        x = augment(x).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.body(x)
        return detection_loss(y.float(), *parts)

    def held_out(self):
        """Mean loss of what is held out."""
        total = 0.0
        with torch.no_grad():
            for at in range(self.count, len(self.frames), 50):
                y = self.body(self.frames[at : at + 50].float() / 255)
                total += detection_loss(y, *[part[at : at + 50] for part in self.targets]).item()
        return total / (HELD_FRAMES / 50)


class Classification:
    batch, peak = 64, 4e-3
    inputs, outputs = ["crop"], ["probabilities"]
    shapes = {"probabilities": [CLASSES]}
    example = torch.zeros(2, CROP_SIDE, CROP_SIDE, dtype=torch.uint8)

    def __init__(self, size, folder):
        self.crops = torch.from_numpy(np.fromfile(f"{folder}/crops.u8", np.uint8).reshape(-1, 1, CROP_SIDE, CROP_SIDE))
        self.classes = torch.from_numpy(np.fromfile(f"{folder}/classes.u8", np.uint8)).long()
        self.body = classifier(size)
        self.count = len(self.crops) - HELD_CROPS
        self.model = ClassificationModel(self.body)

    def loss(self, picked):
        x = self.crops[picked].float() / 255
        if torch.rand(1) < 0.5:
            x = x.flip(3)
        x = centred(augment(x)).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.body(x)
        return F.cross_entropy(y.float(), self.classes[picked], label_smoothing=0.02)

    def held_out(self):
        """Share of what is held out that is right."""
        with torch.no_grad():
            parts = [
                (self.model(self.crops[at : at + 500, 0]).argmax(1) == self.classes[at : at + 500]).sum().item()
                for at in range(self.count, len(self.crops), 500)
            ]
        return sum(parts) / HELD_CROPS


def train(task, minutes):
    body = task.body.to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in body.parameters())} parameters, {task.count} examples", flush=True)
    optimiser = torch.optim.AdamW(body.parameters(), task.peak, weight_decay=0.01)
    started, step, done = time.time(), 0, 0.0
    while done < 1:
        order = torch.randperm(task.count)
        for at in range(0, task.count - task.batch, task.batch):
            done = min(1.0, (time.time() - started) / (60 * minutes))
            rate = task.peak * min(1, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * done)) + 1e-6
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss = task.loss(order[at : at + task.batch])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(body.parameters(), 5.0)
            optimiser.step()
            step += 1
            if step % 200 == 0:
                print(f"step {step} done {done:.2f} loss {loss.item():.3f}", flush=True)
            if done >= 1:
                break
    body.eval()
    print(f"after {step} steps, {step * task.batch / task.count:.1f} epochs, held out: {task.held_out():.4f}", flush=True)


def declare_shapes(path, shapes):
    """Where a map is enlarged, the exporter does not know how large it is then."""
    model = onnx.load(path)
    for output in model.graph.output:
        for dimension, size in zip(output.type.tensor_type.shape.dim[1:], shapes[output.name]):
            dimension.dim_value = size
    halve_weights(model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def halve_weights(graph):
    """Large weights are kept in sixteen bits; the runtime makes numbers of thirty-two of them when it loads the file."""
    nodes = []
    for weights in graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < 1000:
            continue
        name = weights.name
        weights.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        nodes.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)


def main():
    name, out, minutes, folder = sys.argv[1:]
    torch.manual_seed(7)
    np.random.seed(7)
    torch.set_num_threads(1)
    stage, size = name.split("-")
    task = {"detection": Detection, "classification": Classification}[stage](size, folder)
    train(task, float(minutes))
    torch.onnx.export(
        task.model.eval(), (task.example,), out, opset_version=17, input_names=task.inputs, output_names=task.outputs,
        dynamic_axes={tensor: {0: "batch"} for tensor in task.inputs + task.outputs},
        **({"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}),
    )  # fmt: skip
    declare_shapes(out, task.shapes)


if __name__ == "__main__":
    main()
