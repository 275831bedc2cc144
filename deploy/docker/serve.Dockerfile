# syntax=docker/dockerfile:1
# The server, without torch: `docker build -f deploy/docker/serve.Dockerfile -t recommender-serve:0.1.0 .`
ARG PYTHON=3.12-slim-bookworm

FROM python:${PYTHON} AS build
# What serving itself does without: `postgres`, `s3` and `gcs`, with commas between them.
ARG EXTRA=
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY recommender recommender
COPY indexing indexing
COPY server server
COPY eval eval
RUN python -m venv /opt/recommender \
  && /opt/recommender/bin/python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".${EXTRA:+[${EXTRA}]}"

FROM python:${PYTHON}
RUN groupadd --gid 10001 recommender \
  && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin recommender \
  && install -d -o 10001 -g 10001 -m 0750 /data /var/cache/recommender
COPY --from=build /opt/recommender /opt/recommender
ENV PATH=/opt/recommender/bin:$PATH \
  RECOMMENDER_DATA=/data \
  RECOMMENDER_LISTEN=0.0.0.0:50051 \
  RECOMMENDER_ADMIN_LISTEN=0.0.0.0:50052 \
  RECOMMENDER_METRICS_LISTEN=0.0.0.0:9464 \
  NUMBA_CACHE_DIR=/var/cache/recommender/loops
USER 10001:10001
# Compiles for the processor of whoever builds; on another kind of processor the first start compiles anew.
RUN recommender serve --prepare
VOLUME /data
EXPOSE 50051 50052 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=2m --retries=3 CMD ["recommender", "health"]
ENTRYPOINT ["recommender"]
CMD ["serve"]
