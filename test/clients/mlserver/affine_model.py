"""A model of MLServer's own kind: y = scale * x + offset, where the settings say which."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class AffineModel(MLModel):
    async def load(self) -> bool:
        extra = self.settings.parameters.extra or {}
        self.scale, self.offset = extra["scale"], extra["offset"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        x = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        y = (self.scale * x + self.offset).astype("float32")
        output = NumpyCodec.encode_output("y", y)
        return InferenceResponse(model_name=self.name, outputs=[output])
