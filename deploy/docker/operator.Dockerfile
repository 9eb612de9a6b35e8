# The operator for Kubernetes, a static binary and the certificates of the usual authorities.
# Run from the repository's root:
#
#   docker build -f deploy/docker/operator.Dockerfile -t drover-operator .

ARG RUST=rust:1.95-slim-bookworm

FROM ${RUST} AS build
# The commit, for --version.
ARG REVISION=
WORKDIR /src
COPY . .
# As in worker.Dockerfile, with the same caches.
RUN --mount=type=cache,id=drover-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=drover-target,target=/src/target,sharing=locked \
    target="$(rustc --print host-tuple)" && \
    DROVER_COMMIT="${REVISION}" RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --release --package drover-operator --target "$target" && \
    install -D "target/$target/release/drover-operator" /out/drover-operator && \
    install -d -m 1777 /out/tmp

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="drover-operator" \
      org.opencontainers.image.description="Keeps the right number of Drover workers alive on Kubernetes" \
      org.opencontainers.image.source="https://github.com/drover-dev/drover" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out /
USER 65532:65532
ENTRYPOINT ["/drover-operator"]
