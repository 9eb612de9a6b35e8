# The command line and the service (`drover serve`), a static binary and the certificates of the usual authorities.
# Run from the repository's root:
#
#   docker build -f deploy/docker/drover.Dockerfile -t drover .

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
    cargo build --locked --release --package drover --target "$target" && \
    install -D "target/$target/release/drover" /out/drover && \
    install -d -m 1777 /out/tmp

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="drover" \
      org.opencontainers.image.description="Drover's command line and service" \
      org.opencontainers.image.source="https://github.com/drover-dev/drover" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out /
USER 65532:65532
ENTRYPOINT ["/drover"]
