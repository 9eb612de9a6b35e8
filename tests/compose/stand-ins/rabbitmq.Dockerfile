# In place of rabbitmq:4-management: the distribution's package.
FROM debian:trixie-slim
# hadolint ignore=DL3008
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && \
    chmod 755 /usr/sbin/policy-rc.d && \
    apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends rabbitmq-server && \
    rm -rf /var/lib/apt/lists/* && \
    rabbitmq-plugins enable --offline rabbitmq_management && \
    install -d -o rabbitmq /etc/rabbitmq/conf.d
# hadolint ignore=DL3066
USER rabbitmq
VOLUME /var/lib/rabbitmq
CMD ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
