# Your own image: whatever your command needs, and the worker.
#
#   docker build -f deploy/docker/worker.Dockerfile --target binary -t drover-worker .
#   docker build -f deploy/docker/examples/python.Dockerfile -t my-worker .
#   DROVER_WORKER_IMAGE=my-worker DROVER_PIPELINES=totals docker compose up --no-build
#
# The binary is static, so the same line serves any other base: Alpine, distroless, CUDA.

ARG WORKER=drover-worker

# hadolint ignore=DL3006
FROM ${WORKER} AS worker

FROM python:3.13-slim
# RUN pip install --no-cache-dir numpy==2.3.4
# COPY totals.py /app/totals.py
RUN install -d -m 1777 /pfs
COPY --from=worker /drover-worker /usr/local/bin/drover-worker
USER 65532:65532
ENTRYPOINT ["drover-worker"]
