"""Talks to a switcher as Triton's own Python client does; ends with an AssertionError where an answer is not what Triton's users expect.

usage: triton_client.py http|grpc host:port
The switcher serves the stage `tensors`: an input x_DATATYPE and an output y_DATATYPE of every datatype, which is the same tensor.
"""

import sys

import numpy as np

TRANSPORT, ADDRESS = sys.argv[1:3]
if TRANSPORT == "http":
    import tritonclient.http as triton
else:
    import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

MODEL = "tensors"
TENSORS = {
    "BOOL": np.array([[True, False], [False, True]]),
    "UINT8": np.array([[0, 255], [1, 2]], np.uint8),
    "UINT16": np.array([[0, 65535], [1, 2]], np.uint16),
    "UINT32": np.array([[0, 2**32 - 1], [1, 2]], np.uint32),
    "UINT64": np.array([[0, 2**64 - 1], [2**53 + 1, 2]], np.uint64),
    "INT8": np.array([[-128, 127], [1, 2]], np.int8),
    "INT16": np.array([[-(2**15), 2**15 - 1], [1, 2]], np.int16),
    "INT32": np.array([[-(2**31), 2**31 - 1], [1, 2]], np.int32),
    "INT64": np.array([[-(2**63), 2**63 - 1], [2**53 + 1, 2]], np.int64),
    "FP16": np.array([[0.5, -2.25], [65504, 6e-8]], np.float16),
    "FP32": np.array([[0.1, -1e38], [1, 2]], np.float32),
    "FP64": np.array([[0.1, -1e308], [1, 2]], np.float64),
    "BYTES": np.array([["", "gr\u00fc\u00df"], ["\U0001f642", "x" * 300]], np.object_),
}


def inputs(is_binary, names=TENSORS):
    made = []
    for datatype in names:
        tensor = triton.InferInput(f"x_{datatype}", list(TENSORS[datatype].shape), datatype)
        if TRANSPORT == "http":
            tensor.set_data_from_numpy(TENSORS[datatype], binary_data=is_binary or datatype == "FP16")
        else:
            tensor.set_data_from_numpy(TENSORS[datatype])
        made.append(tensor)
    return made


def outputs(is_binary, names=TENSORS):
    if TRANSPORT == "grpc":
        return [triton.InferRequestedOutput(f"y_{datatype}") for datatype in names]
    return [triton.InferRequestedOutput(f"y_{d}", binary_data=is_binary or d == "FP16") for d in names]


def check(result, names=TENSORS):
    for datatype in names:
        found = result.as_numpy(f"y_{datatype}")
        expected = TENSORS[datatype]
        if datatype == "BYTES":
            found = np.array([[as_text(value) for value in row] for row in found], np.object_)
        assert np.array_equal(found, expected), (datatype, found, expected)


def as_text(value):
    return value if isinstance(value, str) else value.decode()


def refused(call, words):
    try:
        call()
    except InferenceServerException as error:
        assert words in error.message(), error.message()
        return error
    raise AssertionError(f"was not refused: {words}")


def plain(value):
    """The gRPC client can give the same dictionaries as the HTTP client."""
    return {"as_json": True} if TRANSPORT == "grpc" else {}


client = triton.InferenceServerClient(ADDRESS)
assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "echo")
assert not client.is_model_ready(MODEL, "other")
metadata = client.get_server_metadata(**plain(1))
assert metadata["name"] == "variscale-switcher" and "model_repository" in metadata["extensions"], metadata
model = client.get_model_metadata(MODEL, **plain(1))
assert model["versions"] == ["echo", "other"] and len(model["inputs"]) == len(TENSORS), model

for is_binary in (True, False):
    result = client.infer(MODEL, inputs(is_binary), outputs=outputs(is_binary), request_id="id-7")
    check(result)
    response = result.get_response() if TRANSPORT == "http" else result.get_response(as_json=True)
    assert response["id"] == "id-7" and response["model_version"] == "echo", response
    if TRANSPORT == "grpc":
        break
check(client.infer(MODEL, inputs(True), model_version="echo"))
wanted = client.infer(MODEL, inputs(True), outputs=outputs(True, ["INT64"]))
check(wanted, ["INT64"])
assert wanted.as_numpy("y_FP32") is None
if TRANSPORT == "http":
    for algorithm in ("gzip", "deflate"):
        check(client.infer(MODEL, inputs(True), request_compression_algorithm=algorithm))
    check(client.infer(MODEL, inputs(True), response_compression_algorithm="gzip"))
else:
    check(client.infer(MODEL, inputs(True), compression_algorithm="gzip"))
check(client.infer(MODEL, inputs(True), timeout=5_000_000))
pending = [client.async_infer(MODEL, inputs(True)) for _ in range(8)] if TRANSPORT == "http" else []
for one in pending:
    check(one.get_result())

refused(lambda: client.infer("nothing", inputs(True)), "nothing")
refused(lambda: client.infer(MODEL, inputs(True, ["FP32"])), "is missing")
refused(lambda: client.infer(MODEL, inputs(True), model_version="other"), "other")
refused(lambda: client.get_model_metadata("nothing"), "nothing")

statistics = client.get_inference_statistics(MODEL, **plain(1))["model_stats"]
echo = next(one for one in statistics if one["version"] == "echo")
assert int(echo["inference_stats"]["success"]["count"]) >= 5, echo
assert int(echo["inference_count"]) == 2 * int(echo["inference_stats"]["success"]["count"]), echo

index = client.get_model_repository_index(**plain(1))
index = index["models"] if TRANSPORT == "grpc" else index
assert {(one["version"], one["state"]) for one in index} == {("echo", "READY"), ("other", "UNAVAILABLE")}, index
client.load_model(MODEL)
client.load_model(MODEL, config='{"version_policy": {"specific": {"versions": ["other"]}}}')
assert client.is_model_ready(MODEL, "other")
check(client.infer(MODEL, inputs(True)))
client.load_model(MODEL, config='{"version_policy": {"specific": {"versions": ["echo"]}}}')
assert client.is_model_ready(MODEL, "echo")
refused(lambda: client.unload_model(MODEL), "serves echo")
refused(lambda: client.load_model("nothing"), "nothing")
refused(lambda: client.load_model(MODEL, config="{"), "config")
client.close()
print("done")
