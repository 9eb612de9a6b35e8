# The worker: takes datums from RabbitMQ and runs their commands. Run from the repository's root:
#
#   docker build -f deploy/docker/worker.Dockerfile --target binary -t drover-worker .
#       the static binary and nothing else: to be copied into your own image, or to be the init container that
#       puts it there (`install PATH`)
#   docker build -f deploy/docker/worker.Dockerfile -t drover-worker:debian .
#       the binary in Debian, for commands that need a shell and the usual tools; docker-compose.yml starts this one

ARG RUST=rust:1.95-slim-bookworm
ARG BASE=debian:bookworm-slim

FROM ${RUST} AS build
# The commit, for --version.
ARG REVISION=
WORKDIR /src
COPY . .
# glibc linked in, so that the binary runs whatever C library an image has, or none. That needs a target named, as build
# scripts and macros can't be static. The caches outlive the build: what did not change is not compiled again.
RUN --mount=type=cache,id=drover-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=drover-target,target=/src/target,sharing=locked \
    target="$(rustc --print host-tuple)" && \
    DROVER_COMMIT="${REVISION}" RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --release --package drover-worker --target "$target" && \
    install -D "target/$target/release/drover-worker" /out/drover-worker

FROM scratch AS binary
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="drover-worker" \
      org.opencontainers.image.description="Drover's worker, a static binary to be copied into any image" \
      org.opencontainers.image.source="https://github.com/drover-dev/drover" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/drover-worker /drover-worker
USER 65532:65532
ENTRYPOINT ["/drover-worker"]

FROM ${BASE} AS debian
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="drover-worker" \
      org.opencontainers.image.description="Drover's worker in Debian" \
      org.opencontainers.image.source="https://github.com/drover-dev/drover" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Commands find their inputs here, whoever they run as.
RUN install -d -m 1777 /pfs
# For amqps:// and https://.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=binary /drover-worker /usr/local/bin/drover-worker
USER 65532:65532
ENTRYPOINT ["drover-worker"]
