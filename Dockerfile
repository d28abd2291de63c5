# Countersign in a container: one binary on Debian, run by a user without privileges.
#
#   docker build -t countersign .

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
# The caches survive between builds; the binary is copied out of them because they are no layer.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin countersign \
    && install -D target/release/countersign /out/countersign

FROM debian:bookworm-slim
# The certificates are for a PostgreSQL server that is reached over TLS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# A fixed number, so that files on mounted volumes keep their owner from one image to the next.
RUN groupadd --system --gid 10400 countersign \
    && useradd --system --uid 10400 --gid 10400 --home-dir /var/lib/countersign \
        --no-create-home --shell /usr/sbin/nologin countersign \
    && install -d -m 0700 -o countersign -g countersign /etc/countersign /var/lib/countersign
COPY --from=build /out/countersign /usr/local/bin/countersign
COPY LICENSE /usr/share/doc/countersign/LICENSE

USER countersign
WORKDIR /var/lib/countersign
# Settings, and the root key that protects everything in the database. Keep its backup apart.
VOLUME /etc/countersign
# Whatever the server keeps on disk: the embedded database, if no other one is configured.
VOLUME /var/lib/countersign
EXPOSE 9400
# SIGTERM lets requests in flight finish before the server stops.
STOPSIGNAL SIGTERM
ENTRYPOINT ["countersign"]
CMD ["serve"]
