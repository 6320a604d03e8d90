#!/usr/bin/env bash
# Installs @tensorflow/tfjs-node beside variscale, for training with the native TensorFlow, from package registries alone:
#   scripts/install-tfjs-node.sh [FOLDER]     (default: the folder of this package)
# Its own installer downloads TensorFlow from elsewhere. This takes it from the wheel tensorflow-cpu and builds the addon against
# it. Needs npm, python3 with pip, a C++ compiler, make, strip, and Node's headers (TFJS_NODE_NODEDIR, default: where node is
# installed); 1.2 GB of disk. Not a combination that the TensorFlow project supports: `npm run test:tfjs-node` tests it.
set -euo pipefail
folder=$(cd "${1:-$(dirname "$0")/..}" && pwd)
tfjs_version=4.22.0
tensorflow_version=${TFJS_NODE_TENSORFLOW_VERSION:-2.15.1}
# That wheels of this version are made for; nothing of Python is used.
python_version=${TFJS_NODE_PYTHON_VERSION:-3.11}
nodedir=${TFJS_NODE_NODEDIR:-$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")}
platform=manylinux2014_$(uname -m)

[ -f "$nodedir/include/node/node_api.h" ] || {
  echo "no headers of Node in $nodedir/include/node: set TFJS_NODE_NODEDIR to a folder that has include/node/node_api.h" >&2
  exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$folder"
# As a dependency: as the peer that it is, it would be left out.
npm install --no-save --save-prod --ignore-scripts --legacy-peer-deps "@tensorflow/tfjs-node@$tfjs_version"
module=$folder/node_modules/@tensorflow/tfjs-node

pip download --quiet --no-deps --only-binary=:all: --python-version "$python_version" --platform "$platform" \
  --platform "manylinux_2_17_$(uname -m)" --dest "$work" "tensorflow-cpu==$tensorflow_version"
mkdir -p "$module/deps/lib"
python3 - "$work" "$module/deps" <<'PYTHON'
import glob, os, shutil, sys, zipfile

wheels, deps = sys.argv[1:]
libraries = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")
headers = tuple(f"tensorflow/include/{name}/" for name in ("tensorflow", "tsl", "xla"))
with zipfile.ZipFile(glob.glob(wheels + "/*.whl")[0]) as wheel:
    for name in wheel.namelist():
        if name.endswith("/") or not (name in libraries or name.startswith(headers)):
            continue
        part = os.path.join("lib", os.path.basename(name)) if name in libraries else name[len("tensorflow/"):]
        target = os.path.join(deps, part)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with wheel.open(name) as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy)
PYTHON
cd "$module/deps/lib"
strip --strip-unneeded libtensorflow_cc.so.2 libtensorflow_framework.so.2
ln -sf libtensorflow_cc.so.2 libtensorflow.so
ln -sf libtensorflow_cc.so.2 libtensorflow.so.2
ln -sf libtensorflow_framework.so.2 libtensorflow_framework.so

cd "$module"
"$folder/node_modules/.bin/node-pre-gyp" rebuild --build-from-source --nodedir="$nodedir" >"$work/build.log" 2>&1 || {
  tail -40 "$work/build.log" >&2
  exit 1
}
cd "$folder"
node -e 'const util = require("node:util"); util.isNullOrUndefined ??= v => v == null; util.isArray ??= Array.isArray; console.log("@tensorflow/tfjs-node", require("@tensorflow/tfjs-node").version["tfjs-node"], "loads");'
