# In place of chrislusf/seaweedfs: another server of the same protocol, told in the same way.
FROM debian:bookworm-slim
COPY s3s-fs /usr/local/bin/
COPY weed /usr/local/bin/
COPY wget /usr/local/bin/
VOLUME /data
ENTRYPOINT ["weed"]
