"""Trains the light recognisers of the ID-card pipeline and writes them with the stage's contract inside the file.

usage: train_recognisers.py {nano|small} OUT.onnx MINUTES LINES_FOLDER...
needs torch (2.x), onnx and numpy; LINES_FOLDER is written by write-lines.js. One thread; bfloat16 where the CPU has it.
"""
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# Class 0 is the CTC blank; the table is shared by all recognisers (stages/class-table.ts).
CLASSES = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-/<: ,"
HEIGHT, WIDTH, STEPS = 48, 320, 40


def conv(inputs, outputs, kernel, stride=1):
    kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = (kernel[0] // 2, kernel[1] // 2) if kernel != (3, 1) else (0, 0)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = conv(channels, channels, 3)

    def forward(self, x):
        return x + self.body(x)


def backbone(size):
    if size == "nano":
        return nn.Sequential(
            nn.AvgPool2d(2),
            conv(1, 16, 3, 2), conv(16, 32, 3, (2, 1)), conv(32, 48, 3, 2), conv(48, 80, 3),
            conv(80, 80, (3, 1)), conv(80, 80, (1, 3)), nn.Conv2d(80, len(CLASSES) + 1, 1),
        )  # fmt: skip
    return nn.Sequential(
        conv(1, 24, 3, 2), conv(24, 40, 3, 2), Residual(40), conv(40, 80, 3, (2, 1)), conv(80, 112, 3, 2),
        Residual(112), conv(112, 112, (3, 1)), conv(112, 112, (1, 3)), nn.Conv2d(112, len(CLASSES) + 1, 1),
    )  # fmt: skip


class Recogniser(nn.Module):
    """The contract: UINT8 [batch, 48, 320, 3] in; UINT8 classes and FP32 confidence [batch, 40] out."""

    def __init__(self, body):
        super().__init__()
        self.body = body
        luma = torch.tensor([0.299, 0.587, 0.114]) / 127.5
        self.register_buffer("luma", luma.reshape(3, 1))

    def forward(self, line):
        grey = torch.matmul(line.float(), self.luma).squeeze(3) - 1
        scores = self.body(grey.unsqueeze(1)).squeeze(2).softmax(1)
        return scores.argmax(1).to(torch.uint8), scores.amax(1)


def load(folders):
    lines, texts = [], []
    for folder in folders:
        pixels = np.fromfile(f"{folder}/lines.u8", np.uint8).reshape(-1, HEIGHT, WIDTH)
        words = open(f"{folder}/lines.txt", encoding="utf8").read().split("\n")[: len(pixels)]
        lines.append(pixels[: len(words)])
        texts += words
    index = {letter: i + 1 for i, letter in enumerate(CLASSES)}
    return torch.from_numpy(np.concatenate(lines)), [[index[letter] for letter in text] for text in texts]


def augment(grey):
    """Contrast and brightness, and a shift of up to two pixels."""
    n = len(grey)
    grey = grey * (0.7 + 0.6 * torch.rand(n, 1, 1)) + 0.4 * torch.rand(n, 1, 1) - 0.2
    dy, dx = np.random.randint(-2, 3, 2)
    return torch.roll(grey, (int(dy), int(dx)), (1, 2)).unsqueeze(1)


def accuracy(body, lines, labels):
    body.eval()
    right = 0
    with torch.no_grad():
        for at in range(0, len(lines), 256):
            best = body(lines[at : at + 256].float().unsqueeze(1) / 127.5 - 1).squeeze(2).argmax(1)
            for row, label in zip(best.tolist(), labels[at : at + 256]):
                read = [c for c, before in zip(row, [0] + row[:-1]) if c and c != before]
                right += read == label
    body.train()
    return right / len(lines)


def train(size, minutes, folders):
    lines, labels = load(folders)
    held = 3000
    print(f"{size}: {len(lines)} lines, {held} of them held out", flush=True)
    body = backbone(size).to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in body.parameters())} parameters", flush=True)
    peak, batch = 3e-3, 64
    optimiser = torch.optim.AdamW(body.parameters(), peak, weight_decay=0.01)
    started, step, done = time.time(), 0, 0.0
    while done < 1:
        order = torch.randperm(len(lines) - held)
        for at in range(0, len(order) - batch, batch):
            done = min(1.0, (time.time() - started) / (60 * minutes))
            rate = peak * min(1, (step + 1) / 200) * 0.5 * (1 + np.cos(np.pi * done)) + 1e-6
            for group in optimiser.param_groups:
                group["lr"] = rate
            picked = order[at : at + batch]
            grey = augment(lines[picked].float() / 127.5 - 1).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                scores = body(grey).squeeze(2)
            wanted = [labels[i] for i in picked.tolist()]
            loss = F.ctc_loss(
                scores.float().permute(2, 0, 1).log_softmax(2),
                torch.tensor(sum(wanted, [])),
                torch.full((batch,), STEPS),
                torch.tensor([len(label) for label in wanted]),
                zero_infinity=True,
            )
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(body.parameters(), 5.0)
            optimiser.step()
            step += 1
            if step % 500 == 0:
                held_out = accuracy(body, lines[-held:][:1000], labels[-held:][:1000])
                print(f"step {step} done {done:.2f} loss {loss.item():.4f} held out {held_out:.3f}", flush=True)
            if done >= 1:
                break
    print(f"exact lines of the held out: {accuracy(body, lines[-held:], labels[-held:]):.4f}", flush=True)
    return body.eval()


def main():
    size, out, minutes, *folders = sys.argv[1:]
    torch.manual_seed(7)
    np.random.seed(7)
    torch.set_num_threads(1)
    model = Recogniser(train(size, float(minutes), folders)).eval()
    torch.save(model.state_dict(), out + ".pt")
    batch = {0: "batch"}
    torch.onnx.export(
        model, (torch.zeros(2, HEIGHT, WIDTH, 3, dtype=torch.uint8),), out, dynamo=False, opset_version=17,
        input_names=["line"], output_names=["classes", "confidence"],
        dynamic_axes={"line": batch, "classes": batch, "confidence": batch},
    )  # fmt: skip


if __name__ == "__main__":
    main()
