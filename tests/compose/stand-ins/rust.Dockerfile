# In place of rust:1.95-slim-bookworm: this machine's own toolchain.
FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends ca-certificates gcc libc6-dev && \
    rm -rf /var/lib/apt/lists/*
ADD toolchain.tar /usr/local/
# A proxy's authority, where this machine trusts one.
COPY ca-certificates.crt /etc/ssl/certs/
ENV CARGO_HOME=/usr/local/cargo
