# The program alone: no shell, no libraries, no root. The same image without Docker:
# scripts/image.sh. Size: `docker images interrex.io/interrex`.
#
#   docker build -t interrex.io/interrex:0.1.0 .
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN install -D -m 0755 "$(scripts/build-static.sh)" /image/interrex

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
ENTRYPOINT ["/interrex"]
